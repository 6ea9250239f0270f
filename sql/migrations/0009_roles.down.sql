do $$
declare
  role_name text;
begin
  for role_name in
    select r.rolname
    from pg_catalog.pg_roles r
    where r.rolname in ('tusk_reader', 'tusk_writer', 'tusk_admin')
  loop
    execute format('revoke all on all functions in schema tusk from %I', role_name);
    execute format('revoke all on all tables in schema tusk from %I', role_name);
    execute format('revoke all on schema tusk from %I', role_name);
  end loop;
end
$$;

grant execute on all functions in schema tusk to public;

drop function tusk.make_roles();
