-- Responses of other services as values of the cache, and keys that are found by their hash.

-- Keys too long for the name of a file are found by the sha256 of their bytes. A key of 85 bytes
-- fits a name even with each of them as %XX, so most keys are not in this index. The expression is
-- convert_to(key, 'UTF8') of what is in UTF-8 already, by functions that an index may use.
create index cache_long_keys on tusk_cache.cache (sha256(decode(replace(key, '\', '\\'), 'escape')))
where octet_length(key) > 85;
comment on index tusk_cache.cache_long_keys is
  'sha256 of long keys: the file view shows those that no name can hold as %@sha256-.';

create function tusk_cache.response_value(status integer, headers jsonb, body bytea)
returns jsonb
language plpgsql
immutable
parallel unsafe
set search_path = ''
as $$
declare
  response constant jsonb := jsonb_build_object('status', status, 'headers', headers);
begin
  return response || jsonb_build_object('body', convert_from(coalesce(body, ''), 'UTF8'));
exception when data_exception then
  return response || jsonb_build_object('body_base64', translate(encode(body, 'base64'), E'\n', ''));
end
$$;
comment on function tusk_cache.response_value(integer, jsonb, bytea) is
  'A response as JSON: status, headers, and body as a string or, where it is no text, body_base64.';

create function tusk_cache.is_response(value jsonb)
returns boolean
language sql
immutable
parallel safe
set search_path = ''
as $$
  select coalesce(
    value ->> 'status' ~ '^[1-5][0-9][0-9]$'
      and jsonb_typeof(value -> 'headers') = 'object'
      and 'string' in (jsonb_typeof(value -> 'body'), jsonb_typeof(value -> 'body_base64')),
    false)
$$;
comment on function tusk_cache.is_response(jsonb) is
  'Whether a value is a response as api_store keeps it.';

create function tusk_cache.etag_matches(given text, kept text)
returns boolean
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  -- The weak comparison of RFC 9110: W/"x" and "x" are the same.
  select given = '*'
    or regexp_replace(given, '^W/', '') = regexp_replace(kept, '^W/', '')
    or exists (
      select
      from regexp_matches(given, '"[^"]*"', 'g') as tags (found)
      where found[1] = regexp_replace(kept, '^W/', ''))
$$;
comment on function tusk_cache.etag_matches(text, text) is
  'Whether what a client says in If-None-Match (a tag, several with commas between, or *) is the '
  'tag of what is kept.';

create function tusk_cache.api_store(
  key text,
  status integer,
  headers jsonb,
  body bytea,
  ttl interval default tusk_cache.default_ttl())
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  named jsonb;
  deadline constant timestamptz := tusk_cache.deadline(ttl);
begin
  if status is null or status not between 100 and 599 then
    raise exception 'a status is 100 to 599, not %', status using errcode = '22023';
  end if;
  if jsonb_typeof(coalesce(headers, '{}')) <> 'object' then
    raise exception 'headers are a JSON object' using errcode = '22023';
  end if;
  -- HTTP does not tell ETag from etag.
  select coalesce(jsonb_object_agg(lower(h.key), h.value), '{}') into named
  from jsonb_each(headers) h;
  if status <> 304 then
    return tusk_cache.set(
      api_store.key, tusk_cache.response_value(status, named, body), api_store.ttl);
  end if;
  update tusk_cache.cache c
  set value = jsonb_set(c.value, '{headers}', (c.value -> 'headers') || (named - 'content-length')),
    raw = null, created_at = clock_timestamp(), expires_at = deadline
  where c.key = tusk_cache.valid_key(api_store.key)
    and tusk_cache.live(c.expires_at)
    and tusk_cache.is_response(c.value);
  return found;
end
$$;
comment on function tusk_cache.api_store(text, integer, jsonb, bytea, interval) is
  'Keeps a response of another service as the value of a key for ttl (null: for ever): what the '
  'caller fetched. Names of headers become lower case. Status 304 says that what is kept is still '
  'right: it counts as new, with the headers that came; false where nothing is kept.';

create function tusk_cache.api_fetch(key text, ttl interval, etag text default null)
returns table (status integer, headers jsonb, body bytea, fresh boolean)
language sql
volatile
parallel safe
rows 1
set search_path = ''
as $$
  select
    case when m.is_known then 304 else (c.value ->> 'status')::integer end,
    c.value -> 'headers',
    case
      when not m.is_known then coalesce(
        convert_to(c.value ->> 'body', 'UTF8'), decode(c.value ->> 'body_base64', 'base64'))
    end,
    api_fetch.ttl is null or c.created_at > clock_timestamp() - api_fetch.ttl
  from tusk_cache.cache c
  cross join lateral (
    select c.value ->> 'status' ~ '^2'
      and coalesce(tusk_cache.etag_matches(api_fetch.etag, c.value #>> '{headers,etag}'), false)
  ) m (is_known)
  where c.key = api_fetch.key
    and tusk_cache.live(c.expires_at)
    and tusk_cache.is_response(c.value)
$$;
comment on function tusk_cache.api_fetch(text, interval, text) is
  'The response that api_store kept. The database asks nobody: no row means that nothing is kept, '
  'so fetch it and call api_store. fresh: it was stored within ttl (null: whenever); where it is '
  'false, fetch again, with If-None-Match the etag in headers. etag is what the client has: where '
  'it is that of what is kept the status is 304 and the body null.';

revoke all on function
  tusk_cache.response_value(integer, jsonb, bytea),
  tusk_cache.is_response(jsonb),
  tusk_cache.etag_matches(text, text),
  tusk_cache.api_store(text, integer, jsonb, bytea, interval),
  tusk_cache.api_fetch(text, interval, text)
from public;

do $$
declare
  given record;
begin
  for given in
    select r.rolname as role_name, g.functions
    from (values
      ('tusk_reader', 'tusk_cache.is_response(jsonb), tusk_cache.etag_matches(text, text),
        tusk_cache.api_fetch(text, interval, text)'),
      ('tusk_writer', 'tusk_cache.is_response(jsonb), tusk_cache.etag_matches(text, text),
        tusk_cache.api_fetch(text, interval, text),
        tusk_cache.response_value(integer, jsonb, bytea),
        tusk_cache.api_store(text, integer, jsonb, bytea, interval)'),
      ('tusk_admin', 'tusk_cache.is_response(jsonb), tusk_cache.etag_matches(text, text),
        tusk_cache.api_fetch(text, interval, text),
        tusk_cache.response_value(integer, jsonb, bytea),
        tusk_cache.api_store(text, integer, jsonb, bytea, interval)')
    ) as g (role_name, functions)
    join pg_catalog.pg_roles r on r.rolname = g.role_name
  loop
    execute format('grant execute on function %s to %I', given.functions, given.role_name);
  end loop;
end
$$;
