-- Many values at once, as the mounts write them, at less a value: a function with a setting of its
-- own costs more a call than what these did, and so does a subtransaction.

create or replace function tusk_cache.as_json(content bytea)
returns jsonb
language plpgsql
immutable
parallel unsafe
set search_path = ''
as $$
declare
  content_text text;
begin
  content_text := convert_from(content, 'UTF8');
  -- Nothing else can begin JSON; to find out by parsing takes a subtransaction that fails.
  if strpos(E' \t\n\r{["-0123456789tfn', left(content_text, 1)) = 0 then
    return to_jsonb(content_text);
  end if;
  begin
    return content_text::jsonb;
  exception when data_exception or program_limit_exceeded then
    return to_jsonb(content_text);
  end;
exception when data_exception then
  return 'null';
end
$$;

create or replace function tusk_cache.mset_bytes(
  keys text[], contents bytea[], keep_ttl boolean[])
returns table (key text, bytes bigint, created_at timestamptz, expires_at timestamptz)
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  deadline constant timestamptz := tusk_cache.deadline(tusk_cache.default_ttl());
  kept constant text[] :=
    array(select n.key from unnest(keys, keep_ttl) as n(key, keeps) where n.keeps);
begin
  perform tusk_cache.valid_key(n.key)
  from unnest(keys) as n(key)
  where octet_length(n.key) between 1 and 1024 is not true;
  return query
    insert into tusk_cache.cache as c (key, value, raw, created_at, expires_at)
    select n.key, j.value,
      case when convert_to(j.value::text, 'UTF8') is distinct from n.content then n.content end,
      moment, deadline
    from unnest(keys, contents) as n(key, content)
    cross join lateral (select tusk_cache.as_json(n.content) as value offset 0) j
    order by n.key
    on conflict (key) do update
    set value = excluded.value, raw = excluded.raw, created_at = moment,
      expires_at = case
        when c.key = any (kept) and tusk_cache.live(c.expires_at, moment) then c.expires_at
        else excluded.expires_at
      end
    returning c.key, c.bytes, c.created_at, c.expires_at;
end
$$;
