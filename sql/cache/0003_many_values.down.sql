-- As 0001 made them.
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
  begin
    return content_text::jsonb;
  exception when data_exception or program_limit_exceeded then
    return to_jsonb(content_text);
  end;
exception when data_exception then
  return 'null';
end
$$;

create or replace function tusk_cache.mset_bytes(keys text[], contents bytea[], keep_ttl boolean[])
returns table (key text, bytes bigint, created_at timestamptz, expires_at timestamptz)
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  deadline constant timestamptz := tusk_cache.deadline(tusk_cache.default_ttl());
begin
  return query
    insert into tusk_cache.cache as c (key, value, raw, created_at, expires_at)
    select tusk_cache.valid_key(n.key), j.value, tusk_cache.raw_if_needed(n.content, j.value),
      moment, deadline
    from unnest(keys, contents, keep_ttl) as n(key, content, keeps)
    cross join lateral (select tusk_cache.as_json(n.content) as value offset 0) j
    where not n.keeps
    order by n.key
    on conflict (key) do update
    set value = excluded.value, raw = excluded.raw, created_at = moment,
      expires_at = excluded.expires_at
    returning c.key, c.bytes, c.created_at, c.expires_at;
  if true = any (keep_ttl) then
    return query
      insert into tusk_cache.cache as c (key, value, raw, created_at, expires_at)
      select tusk_cache.valid_key(n.key), j.value, tusk_cache.raw_if_needed(n.content, j.value),
        moment, deadline
      from unnest(keys, contents, keep_ttl) as n(key, content, keeps)
      cross join lateral (select tusk_cache.as_json(n.content) as value offset 0) j
      where n.keeps
      order by n.key
      on conflict (key) do update
      set value = excluded.value, raw = excluded.raw, created_at = moment,
        expires_at = case
          when tusk_cache.live(c.expires_at, moment) then c.expires_at
          else excluded.expires_at
        end
      returning c.key, c.bytes, c.created_at, c.expires_at;
  end if;
end
$$;
