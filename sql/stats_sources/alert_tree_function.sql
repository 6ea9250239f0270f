-- What tusk_stats.alerts_check() asks about the trees, with the rights of who installed it; it is made
-- of the same text as the driver's, which stands in for the mark. Nothing where there are no trees.
create or replace function tusk_stats.alert_tree()
returns table (name text, value float8, unit text, severity text, threshold float8, calm boolean, message text)
language plpgsql stable security definer set search_path = pg_catalog
as $tree$
#variable_conflict use_column
begin
  if to_regclass('tusk.checkups') is null then
    return;
  end if;
  return query
/*TREE*/
;
end
$tree$;
comment on function tusk_stats.alert_tree() is
  'What alerts of the trees are about: large files in the database, backups, what fsck found missing.';
revoke execute on function tusk_stats.alert_tree() from public;
do $$
declare
  each text;
begin
  for each in
    select r.rolname from pg_catalog.pg_roles r where r.rolname in ('tusk_monitor', 'tusk_admin')
  loop
    execute format('grant execute on function tusk_stats.alert_tree() to %I', each);
  end loop;
end
$$;
