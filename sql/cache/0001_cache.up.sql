-- The cache side: cache, sessions, rate limits, feature flags. For any PostgreSQL from 13 on,
-- without extensions and without the tree. The schema tusk_cache exists already.
-- Every function runs with the rights of its caller. Time is clock_timestamp(), so that entries
-- also expire inside a long transaction.

-- Tables

create table tusk_cache.settings (
  only_row boolean primary key default true check (only_row),
  default_ttl interval not null default '1 hour' check (default_ttl > interval '0'),
  max_value bigint not null default 8388608 check (max_value > 0),
  max_bytes bigint not null default 268435456 check (max_bytes > 0),
  tell_changes boolean not null default true
);
insert into tusk_cache.settings default values;
comment on table tusk_cache.settings is 'The limits of the cache; one row.';
comment on column tusk_cache.settings.only_row is 'Keeps the table at one row.';
comment on column tusk_cache.settings.default_ttl is 'How long a value lives when nobody says.';
comment on column tusk_cache.settings.max_value is
  'The longest value in bytes; longer ones are refused with SQLSTATE 54000.';
comment on column tusk_cache.settings.max_bytes is
  'What all live values may take; the sweep evicts the oldest beyond it.';
comment on column tusk_cache.settings.tell_changes is
  'Whether changes are told on the channel tusk_cache. NOTIFY lets commits through one at a time: '
  'with many writers at once, and no listener, off lets through about twice as many.';

create unlogged table tusk_cache.cache (
  key text collate "C" primary key,
  value jsonb not null,
  raw bytea,
  expires_at timestamptz default now() + interval '1 hour',
  created_at timestamptz not null default now(),
  bytes bigint not null
    generated always as (coalesce(octet_length(raw), octet_length(value::text))) stored,
  constraint cache_key_length check (octet_length(key) between 1 and 1024)
) with (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 200,
  toast.autovacuum_vacuum_scale_factor = 0.01
);
create index cache_expires_at on tusk_cache.cache (expires_at);
comment on table tusk_cache.cache is
  'Values by key until they expire. Unlogged: a crash of the server empties it.';
comment on column tusk_cache.cache.key is
  'The name of the value: 1 to 1,024 bytes, compared byte by byte.';
comment on column tusk_cache.cache.value is
  'The value. For bytes that are no JSON: their text as a JSON string; that are no text: null.';
comment on column tusk_cache.cache.raw is
  'The bytes as written, where the text of value is not the same: jsonb forgets spaces and order.';
comment on column tusk_cache.cache.expires_at is
  'From then on the value is not there; null: it stays. A row may lie on until the sweep.';
comment on column tusk_cache.cache.created_at is 'When the value was last set.';
comment on column tusk_cache.cache.bytes is 'The length of what get_bytes returns.';

create unlogged table tusk_cache.counters (
  name text primary key,
  total bigint not null
);
comment on table tusk_cache.counters is
  'What the sweep removed since the last crash of the server.';
comment on column tusk_cache.counters.name is 'What is counted: expired, evicted.';
comment on column tusk_cache.counters.total is 'How many.';

create table tusk_cache.sessions (
  sid_hash bytea primary key check (octet_length(sid_hash) = 32),
  user_id text,
  data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  last_seen timestamptz not null default now(),
  expires_at timestamptz not null
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
create index sessions_user_id on tusk_cache.sessions (user_id);
create index sessions_expires_at on tusk_cache.sessions (expires_at);
comment on table tusk_cache.sessions is 'Sessions of an application. Logged: they survive a crash.';
comment on column tusk_cache.sessions.sid_hash is
  'sha256 of the token that the client holds; who reads this table cannot act as a client.';
comment on column tusk_cache.sessions.user_id is 'Whose session; null: nobody has signed in.';
comment on column tusk_cache.sessions.data is 'What the application keeps in the session.';
comment on column tusk_cache.sessions.created_at is 'When the session began.';
comment on column tusk_cache.sessions.last_seen is 'The last touch, exact to a minute.';
comment on column tusk_cache.sessions.expires_at is 'From then on the session is over.';

create table tusk_cache.rate_buckets (
  name text primary key check (name <> ''),
  algorithm text not null default 'gcra' check (algorithm in ('gcra', 'fixed', 'sliding')),
  burst integer not null default 0 check (burst >= 0),
  count integer not null check (count > 0),
  period interval not null check (period > interval '0')
);
comment on table tusk_cache.rate_buckets is
  'Limits that have a name, for rate_take and the file view.';
comment on column tusk_cache.rate_buckets.name is 'The name of the bucket.';
comment on column tusk_cache.rate_buckets.algorithm is
  'gcra: evenly, with bursts; fixed: so many a window; sliding: the window before counts in part.';
comment on column tusk_cache.rate_buckets.burst is 'How many more may come at once (gcra only).';
comment on column tusk_cache.rate_buckets.count is 'How many a period.';
comment on column tusk_cache.rate_buckets.period is 'The length of the period.';

create unlogged table tusk_cache.rate_limits (
  bucket text not null,
  key text not null,
  algorithm text,
  max_hits integer,
  period interval,
  arrival timestamptz,
  window_start timestamptz,
  hits bigint not null default 0,
  previous bigint not null default 0,
  expires_at timestamptz not null default clock_timestamp(),
  primary key (bucket, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 200);
comment on table tusk_cache.rate_limits is
  'Who used how much of a limit. Unlogged: after a crash everybody starts afresh.';
comment on column tusk_cache.rate_limits.bucket is 'The limit.';
comment on column tusk_cache.rate_limits.key is 'Who is limited: a user, an address.';
comment on column tusk_cache.rate_limits.algorithm is
  'How was counted; another algorithm starts afresh.';
comment on column tusk_cache.rate_limits.max_hits is
  'The limit at the last hit; for gcra the burst and one.';
comment on column tusk_cache.rate_limits.period is 'The time in which max_hits come back.';
comment on column tusk_cache.rate_limits.arrival is
  'gcra: when the next hit would come if all came evenly (the theoretical arrival time).';
comment on column tusk_cache.rate_limits.window_start is
  'fixed, sliding: the start of the window of hits.';
comment on column tusk_cache.rate_limits.hits is 'fixed, sliding: hits in the window.';
comment on column tusk_cache.rate_limits.previous is 'sliding: hits in the window before.';
comment on column tusk_cache.rate_limits.expires_at is
  'From then on the row says the same as no row.';

create table tusk_cache.feature_flags (
  name text collate "C" primary key check (name <> ''),
  enabled boolean not null default false,
  percentage numeric(6, 3) not null default 100 check (percentage between 0 and 100),
  actors text[] not null default '{}',
  description text not null default '',
  updated_at timestamptz not null default now()
);
comment on table tusk_cache.feature_flags is
  'Switches of an application. Logged: they survive a crash.';
comment on column tusk_cache.feature_flags.name is 'The name of the flag.';
comment on column tusk_cache.feature_flags.enabled is 'Off: off for everybody.';
comment on column tusk_cache.feature_flags.percentage is
  'The share of actors that an enabled flag is on for.';
comment on column tusk_cache.feature_flags.actors is
  'Who an enabled flag is on for whatever the percentage.';
comment on column tusk_cache.feature_flags.description is 'What the flag is for.';
comment on column tusk_cache.feature_flags.updated_at is 'When it was last changed.';

-- What the functions below share

create function tusk_cache.live(
  expires_at timestamptz, moment timestamptz default clock_timestamp())
returns boolean
language sql
volatile
parallel safe
as $$ select expires_at is null or expires_at > moment $$;
comment on function tusk_cache.live(timestamptz, timestamptz) is
  'Whether something with this end is still there. It has no search_path, so that it is inlined.';

create function tusk_cache.default_ttl()
returns interval
language sql
stable
parallel safe
set search_path = ''
as $$ select s.default_ttl from tusk_cache.settings s $$;
comment on function tusk_cache.default_ttl() is 'How long a value lives when nobody says.';

create function tusk_cache.valid_key(key text)
returns text
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  if key is null or octet_length(key) not between 1 and 1024 then
    raise exception 'a key has 1 to 1024 bytes, not %', coalesce(octet_length(key), 0)
      using errcode = '22023';
  end if;
  return key;
end
$$;
comment on function tusk_cache.valid_key(text) is 'The key, or SQLSTATE 22023.';

create function tusk_cache.deadline(ttl interval)
returns timestamptz
language plpgsql
volatile
parallel safe
set search_path = ''
as $$
begin
  if ttl <= interval '0' then
    raise exception 'the ttl must be positive, not %', ttl using errcode = '22023';
  end if;
  return clock_timestamp() + ttl;
end
$$;
comment on function tusk_cache.deadline(interval) is
  'When this time is over; null for null (never).';

create function tusk_cache.as_integer(value jsonb)
returns bigint
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
begin
  if value::text !~ '^-?\d+$' then
    raise exception 'the value is not an integer' using errcode = '22023';
  end if;
  return value::text::bigint;
end
$$;
comment on function tusk_cache.as_integer(jsonb) is
  'A JSON integer as a number, or SQLSTATE 22023.';

create function tusk_cache.as_json(content bytea)
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
comment on function tusk_cache.as_json(bytea) is
  'Bytes as JSON: parsed; or, where they are no JSON, a string; or, where they are no text, null.';

create function tusk_cache.raw_if_needed(content bytea, value jsonb)
returns bytea
language sql
stable
parallel safe
set search_path = ''
as $$ select case when convert_to(value::text, 'UTF8') is distinct from content then content end $$;
comment on function tusk_cache.raw_if_needed(bytea, jsonb) is
  'The bytes, or null where the text of the JSON says the same.';

create function tusk_cache.glob_regex(match text)
returns text
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  select '^(?:' || coalesce(string_agg(
    case
      when part = '*' then '.*'
      when part = '?' then '.'
      -- Inside [] a regular expression knows more than a glob: [:alpha:], \d.
      when part ~ '^\[.+\]$' then
        '[' || replace(regexp_replace(substr(part, 2), '\\([[:alnum:]])', '\1', 'g'), '[', '\[')
      else regexp_replace(plain, '([^[:alnum:]_])', '\\\1')
    end, '' order by n), '') || ')$'
  from regexp_matches(match, '\\.|\[\^?(?:\\.|[^]\\])+\]|.', 'g')
      with ordinality as parts (found, n),
    lateral (select found[1] as part) p,
    lateral (select case when part ~ '^\\.' then substr(part, 2) else part end as plain) l
$$;
comment on function tusk_cache.glob_regex(text) is
  'A pattern of Redis (* ? [ab] [^a] [a-z], \ before a plain character) as a regular expression.';

-- The cache

create function tusk_cache.get(key text)
returns jsonb
language sql
volatile
parallel safe
set search_path = ''
as $$
  select c.value from tusk_cache.cache c where c.key = get.key and tusk_cache.live(c.expires_at)
$$;
comment on function tusk_cache.get(text) is 'The value, or null where there is none (any more).';

create function tusk_cache.put(
  key text, value jsonb, raw bytea, ttl interval, nx boolean, xx boolean, keepttl boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  deadline constant timestamptz := tusk_cache.deadline(ttl);
begin
  if nx and xx then
    raise exception 'nx and xx exclude each other' using errcode = '22023';
  end if;
  if put.value is null then
    raise exception 'the value is null; del removes a key' using errcode = '22023';
  end if;
  if xx then
    update tusk_cache.cache c
    set value = put.value, raw = put.raw, created_at = moment,
      expires_at = case when keepttl then c.expires_at else deadline end
    where c.key = tusk_cache.valid_key(put.key) and tusk_cache.live(c.expires_at, moment);
  else
    insert into tusk_cache.cache as c (key, value, raw, created_at, expires_at)
    values (tusk_cache.valid_key(put.key), put.value, put.raw, moment, deadline)
    on conflict (key) do update
    set value = excluded.value, raw = excluded.raw, created_at = moment,
      expires_at = case
        when keepttl and tusk_cache.live(c.expires_at, moment) then c.expires_at
        else excluded.expires_at
      end
    where nx is not true or not tusk_cache.live(c.expires_at, moment);
  end if;
  return found;
end
$$;
comment on function tusk_cache.put(text, jsonb, bytea, interval, boolean, boolean, boolean) is
  'What set and set_bytes share.';

create function tusk_cache.set(
  key text,
  value jsonb,
  ttl interval default tusk_cache.default_ttl(),
  nx boolean default false,
  xx boolean default false,
  keepttl boolean default false)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return tusk_cache.put(key, value, null, ttl, nx, xx, keepttl);
end
$$;
comment on function tusk_cache.set(text, jsonb, interval, boolean, boolean, boolean) is
  'Sets a value and its end (ttl null: none). nx: only a new key; xx: only a present one; '
  'keepttl: a present key keeps its end. False where nx or xx forbade it.';

create function tusk_cache.get_bytes(key text)
returns bytea
language sql
volatile
parallel safe
set search_path = ''
as $$
  select coalesce(c.raw, convert_to(c.value::text, 'UTF8'))
  from tusk_cache.cache c
  where c.key = get_bytes.key and tusk_cache.live(c.expires_at)
$$;
comment on function tusk_cache.get_bytes(text) is
  'The bytes as set_bytes wrote them, or the text of the JSON; null where there is no value.';

create function tusk_cache.set_bytes(
  key text,
  value bytea,
  ttl interval default tusk_cache.default_ttl(),
  nx boolean default false,
  xx boolean default false,
  keepttl boolean default false)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  parsed constant jsonb := tusk_cache.as_json(value);
begin
  if value is null then
    raise exception 'the value is null; del removes a key' using errcode = '22023';
  end if;
  return tusk_cache.put(key, parsed, tusk_cache.raw_if_needed(value, parsed), ttl, nx, xx, keepttl);
end
$$;
comment on function tusk_cache.set_bytes(text, bytea, interval, boolean, boolean, boolean) is
  'Like set, for any bytes; get sees them as JSON where they are JSON.';

create function tusk_cache.mset_bytes(keys text[], contents bytea[], keep_ttl boolean[])
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
comment on function tusk_cache.mset_bytes(text[], bytea[], boolean[]) is
  'set_bytes of many keys at once, each once; those that keep their end keep it.';

create function tusk_cache.append(
  key text, value bytea, ttl interval default tusk_cache.default_ttl())
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  present tusk_cache.cache;
  content bytea;
  parsed jsonb;
begin
  if value is null then
    raise exception 'the value is null' using errcode = '22023';
  end if;
  -- A new key is made first, empty, so that two who append to it wait for each other.
  perform tusk_cache.put(key, '""', '', ttl, true, false, false);
  select * into strict present from tusk_cache.cache c where c.key = append.key for update;
  content := coalesce(present.raw, convert_to(present.value::text, 'UTF8')) || value;
  parsed := tusk_cache.as_json(content);
  update tusk_cache.cache c
  set value = parsed, raw = tusk_cache.raw_if_needed(content, parsed),
    created_at = clock_timestamp()
  where c.key = append.key;
  return octet_length(content);
end
$$;
comment on function tusk_cache.append(text, bytea, interval) is
  'Adds bytes and returns the new length. A present key keeps its end, a new one gets ttl.';

create function tusk_cache.del(variadic keys text[])
returns bigint
language sql
volatile
set search_path = ''
as $$
  -- Locked in the order of keys: two who delete the same keys do not wait in a circle.
  with doomed as materialized (
    select c.key from tusk_cache.cache c where c.key = any (keys) order by c.key for update
  ), gone as (
    delete from tusk_cache.cache c using doomed d where c.key = d.key returning c.expires_at
  )
  select count(*) from gone where tusk_cache.live(expires_at)
$$;
comment on function tusk_cache.del(text[]) is 'Removes keys; returns how many there were.';

create function tusk_cache.getdel(key text)
returns jsonb
language sql
volatile
set search_path = ''
as $$
  with gone as (
    delete from tusk_cache.cache c where c.key = getdel.key returning c.value, c.expires_at
  )
  select value from gone where tusk_cache.live(expires_at)
$$;
comment on function tusk_cache.getdel(text) is
  'The value, which is removed; of two callers one gets it.';

create function tusk_cache.exists(variadic keys text[])
returns bigint
language sql
volatile
parallel safe
set search_path = ''
as $$
  select count(*)
  from unnest(keys) as wanted (key)
  join tusk_cache.cache c on c.key = wanted.key
  where tusk_cache.live(c.expires_at)
$$;
comment on function tusk_cache.exists(text[]) is
  'How many of the keys are there; one named twice counts twice.';

create function tusk_cache.mget(variadic keys text[])
returns table (key text, value jsonb)
language sql
volatile
parallel safe
set search_path = ''
as $$
  select wanted.key, c.value
  from unnest(keys) with ordinality as wanted (key, place)
  left join tusk_cache.cache c on c.key = wanted.key and tusk_cache.live(c.expires_at)
  order by wanted.place
$$;
comment on function tusk_cache.mget(text[]) is
  'One row a key in the order asked for; the value is null where there is none.';

create function tusk_cache.mset(pairs jsonb, ttl interval default tusk_cache.default_ttl())
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  deadline constant timestamptz := tusk_cache.deadline(ttl);
  written bigint;
begin
  if jsonb_typeof(pairs) is distinct from 'object' then
    raise exception 'mset takes a JSON object of keys and values' using errcode = '22023';
  end if;
  insert into tusk_cache.cache (key, value, created_at, expires_at)
  select tusk_cache.valid_key(p.key), p.value, clock_timestamp(), deadline
  from jsonb_each(pairs) p
  order by p.key collate "C"
  on conflict (key) do update
  set value = excluded.value, raw = null, created_at = excluded.created_at,
    expires_at = excluded.expires_at;
  get diagnostics written = row_count;
  return written;
end
$$;
comment on function tusk_cache.mset(jsonb, interval) is
  'Sets all keys of a JSON object, or none; returns how many.';

create function tusk_cache.incr(key text, by bigint default 1, ttl interval default null)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
  deadline constant timestamptz := tusk_cache.deadline(ttl);
  total bigint;
begin
  if by is null then
    raise exception 'incr by null' using errcode = '22023';
  end if;
  insert into tusk_cache.cache as c (key, value, created_at, expires_at)
  values (tusk_cache.valid_key(incr.key), to_jsonb(by), moment, deadline)
  on conflict (key) do update
  set value = to_jsonb(
      by + case
        when tusk_cache.live(c.expires_at, moment) then tusk_cache.as_integer(c.value)
        else 0
      end),
    raw = null,
    expires_at = case
      when tusk_cache.live(c.expires_at, moment) then c.expires_at else excluded.expires_at
    end,
    created_at = moment
  returning c.value::text::bigint into total;
  return total;
end
$$;
comment on function tusk_cache.incr(text, bigint, interval) is
  'Adds to a JSON integer and returns it. A present key keeps its end; a new one begins at 0 with '
  'ttl, or without an end.';

create function tusk_cache.expire_allowed(cond text, present timestamptz, wanted timestamptz)
returns boolean
language sql
immutable
parallel safe
set search_path = ''
as $$
  select case cond
    when 'NX' then present is null
    when 'XX' then present is not null
    when 'GT' then coalesce(wanted > present, false)
    when 'LT' then coalesce(wanted < present, true)
    else true
  end
$$;
comment on function tusk_cache.expire_allowed(text, timestamptz, timestamptz) is
  'The conditions of EXPIRE; no end counts as endless.';

create function tusk_cache.expire_at(key text, at timestamptz, cond text default null)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  rule constant text := upper(cond);
begin
  if at is null or not isfinite(at) then
    raise exception 'expire needs an end; persist takes it away' using errcode = '22023';
  end if;
  if rule not in ('NX', 'XX', 'GT', 'LT') then
    raise exception 'the condition is NX, XX, GT or LT, not %', cond using errcode = '22023';
  end if;
  if at <= clock_timestamp() then
    delete from tusk_cache.cache c
    where c.key = expire_at.key
      and tusk_cache.live(c.expires_at)
      and tusk_cache.expire_allowed(rule, c.expires_at, at);
  else
    update tusk_cache.cache c set expires_at = at
    where c.key = expire_at.key
      and tusk_cache.live(c.expires_at)
      and tusk_cache.expire_allowed(rule, c.expires_at, at);
  end if;
  return found;
end
$$;
comment on function tusk_cache.expire_at(text, timestamptz, text) is
  'Gives a present key an end; one that has passed removes it. cond: NX only where it has none, '
  'XX only where it has one, GT only later, LT only earlier. False where nothing was done.';

create function tusk_cache.expire(key text, ttl interval, cond text default null)
returns boolean
language sql
volatile
set search_path = ''
as $$ select tusk_cache.expire_at(key, clock_timestamp() + ttl, cond) $$;
comment on function tusk_cache.expire(text, interval, text) is
  'expire_at for a time from now; one that is not positive removes the key.';

create function tusk_cache.persist(key text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  update tusk_cache.cache c set expires_at = null
  where c.key = persist.key and c.expires_at is not null and tusk_cache.live(c.expires_at);
  return found;
end
$$;
comment on function tusk_cache.persist(text) is 'Takes the end away; false where there was none.';

create function tusk_cache.milliseconds_left(expires_at timestamptz)
returns numeric
language sql
volatile
parallel safe
set search_path = ''
as $$
  select case
    when expires_at is null or not isfinite(expires_at) then -1
    else greatest(round((extract(epoch from expires_at - clock_timestamp()) * 1000)::numeric), 0)
  end
$$;
comment on function tusk_cache.milliseconds_left(timestamptz) is 'Until this end; -1 for none.';

create function tusk_cache.pttl(key text)
returns bigint
language sql
volatile
parallel safe
set search_path = ''
as $$
  select coalesce(
    (select tusk_cache.milliseconds_left(c.expires_at)
    from tusk_cache.cache c
    where c.key = pttl.key and tusk_cache.live(c.expires_at)), -2)::bigint
$$;
comment on function tusk_cache.pttl(text) is
  'Milliseconds left; -1: it has no end; -2: there is no such key.';

create function tusk_cache.ttl(key text)
returns bigint
language sql
volatile
parallel safe
set search_path = ''
as $$
  select case when left_ms < 0 then left_ms else (left_ms + 500) / 1000 end
  from tusk_cache.pttl(key) left_ms
$$;
comment on function tusk_cache.ttl(text) is
  'Seconds left, rounded; -1: it has no end; -2: there is no such key.';

create function tusk_cache.rename(key text, new_key text, nx boolean default false)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  moment constant timestamptz := clock_timestamp();
begin
  perform from tusk_cache.cache c
  where c.key in (rename.key, tusk_cache.valid_key(rename.new_key))
  order by c.key
  for update;
  insert into tusk_cache.cache as c (key, value, raw, created_at, expires_at)
  select rename.new_key, o.value, o.raw, o.created_at, o.expires_at
  from tusk_cache.cache o
  where o.key = rename.key and tusk_cache.live(o.expires_at, moment)
  for update
  on conflict (key) do update
  set value = excluded.value, raw = excluded.raw, created_at = excluded.created_at,
    expires_at = excluded.expires_at
  where nx is not true or not tusk_cache.live(c.expires_at, moment);
  if not found then
    return false;
  end if;
  delete from tusk_cache.cache c where c.key = rename.key and rename.key <> rename.new_key;
  return true;
end
$$;
comment on function tusk_cache.rename(text, text, boolean) is
  'Moves a value with its end, over what the new name had (nx: only if it had nothing). False '
  'where there was nothing to move or nx forbade it.';

create function tusk_cache.scan(
  after text default null, match text default null, count integer default 100)
returns setof text
language plpgsql
volatile
set search_path = ''
as $$
declare
  pattern constant text := tusk_cache.glob_regex(match);
begin
  if scan.count is null or scan.count < 1 then
    raise exception 'count must be positive' using errcode = '22023';
  end if;
  return query
    select c.key
    from tusk_cache.cache c
    where c.key > coalesce(after, '')
      and tusk_cache.live(c.expires_at)
      and (pattern is null or c.key ~ pattern)
    order by c.key
    limit scan.count;
end
$$;
comment on function tusk_cache.scan(text, text, integer) is
  'Keys in the order of their bytes, from after on; the last one is the next after. Fewer than '
  'count: that was the end. What is there all the time is seen once.';

create function tusk_cache.flush(match text default null)
returns bigint
language sql
volatile
set search_path = ''
as $$
  with doomed as materialized (
    select c.key
    from tusk_cache.cache c
    where match is null or c.key ~ (select tusk_cache.glob_regex(match))  -- once, not once a row
    order by c.key
    for update
  ), gone as (
    delete from tusk_cache.cache c using doomed d where c.key = d.key returning c.expires_at
  )
  select count(*) from gone where tusk_cache.live(expires_at)
$$;
comment on function tusk_cache.flush(text) is
  'Removes all keys, or those that match; returns how many there were.';

-- Changes of the cache are told on the channel tusk_cache: a JSON array of keys, or * for anything.
-- One message a statement, and a second one where it both inserts and updates. Expiry is not told,
-- nor that a crash emptied the cache: who connects again knows nothing.

create function tusk_cache.feed_payload(keys text[])
returns text
language plpgsql
immutable
parallel safe
set search_path = ''
as $$
declare
  payload text;
begin
  -- The shortest key takes four bytes, so more than this never fit.
  if cardinality(keys) < 2000 then
    payload := array_to_json(keys)::text;
  end if;
  return case
    when cardinality(keys) = 0 then null
    when octet_length(payload) < 7000 then payload
    else '*'
  end;
end
$$;
comment on function tusk_cache.feed_payload(text[]) is
  'A JSON array of keys; * where that would be too long for NOTIFY (8,000 bytes); null for no key.';

create function tusk_cache.announce(keys text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  if cardinality(keys) > 0 and (select s.tell_changes from tusk_cache.settings s) then
    perform pg_notify('tusk_cache', tusk_cache.feed_payload(keys));
  end if;
end
$$;
comment on function tusk_cache.announce(text[]) is 'Tells which keys changed.';

create function tusk_cache.cache_inserted()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if exists (
    select from new_rows n where n.bytes > (select s.max_value from tusk_cache.settings s)) then
    raise exception 'the value is larger than max_value' using errcode = '54000';
  end if;
  perform tusk_cache.announce(array(select n.key from new_rows n limit 2000));
  return null;
end
$$;
comment on function tusk_cache.cache_inserted() is
  'Refuses what is too large and tells what is new.';

create function tusk_cache.cache_updated()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  -- What was too large before, by an older limit, may still get another end.
  if exists (
    select
    from new_rows n
    left join old_rows o on o.key = n.key
    where n.bytes > (select s.max_value from tusk_cache.settings s)
      and n.bytes is distinct from o.bytes) then
    raise exception 'the value is larger than max_value' using errcode = '54000';
  end if;
  perform tusk_cache.announce(array(
    select n.key from new_rows n union select o.key from old_rows o limit 2000));
  return null;
end
$$;
comment on function tusk_cache.cache_updated() is
  'Refuses what is too large and tells what changed.';

create function tusk_cache.cache_deleted()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  perform tusk_cache.announce(array(select o.key from old_rows o limit 2000));
  return null;
end
$$;
comment on function tusk_cache.cache_deleted() is 'Tells what was removed.';

create function tusk_cache.cache_truncated()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
  if (select s.tell_changes from tusk_cache.settings s) then
    perform pg_notify('tusk_cache', '*');
  end if;
  return null;
end
$$;
comment on function tusk_cache.cache_truncated() is 'Tells that everything was removed.';

create trigger inserted after insert on tusk_cache.cache
  referencing new table as new_rows
  for each statement execute function tusk_cache.cache_inserted();
create trigger updated after update on tusk_cache.cache
  referencing old table as old_rows new table as new_rows
  for each statement execute function tusk_cache.cache_updated();
create trigger deleted after delete on tusk_cache.cache
  referencing old table as old_rows
  for each statement execute function tusk_cache.cache_deleted();
create trigger truncated after truncate on tusk_cache.cache
  for each statement execute function tusk_cache.cache_truncated();

-- Sessions

create function tusk_cache.sid_hash(sid text)
returns bytea
language sql
immutable
strict
parallel safe
set search_path = ''
as $$ select sha256(convert_to(sid, 'UTF8')) $$;
comment on function tusk_cache.sid_hash(text) is 'What a session is stored under.';

create function tusk_cache.session_create(
  user_id text, data jsonb default '{}', ttl interval default '1 day')
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- Three random UUIDs hold 366 random bits; the hash keeps 256.
  sid constant text := encode(
    sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
      || uuid_send(gen_random_uuid())),
    'hex');
begin
  if ttl is null or data is null then
    raise exception 'a session has data and an end' using errcode = '22023';
  end if;
  insert into tusk_cache.sessions (sid_hash, user_id, data, created_at, last_seen, expires_at)
  values (tusk_cache.sid_hash(sid), user_id, data, clock_timestamp(), clock_timestamp(),
    tusk_cache.deadline(ttl));
  return sid;
end
$$;
comment on function tusk_cache.session_create(text, jsonb, interval) is
  'Begins a session and returns its token, which is stored nowhere.';

create function tusk_cache.session_get(sid text)
returns jsonb
language sql
volatile
parallel safe
set search_path = ''
as $$
  select s.data
  from tusk_cache.sessions s
  where s.sid_hash = tusk_cache.sid_hash(sid) and tusk_cache.live(s.expires_at)
$$;
comment on function tusk_cache.session_get(text) is 'The data of a session; null where it is over.';

create function tusk_cache.session_user_id(sid text)
returns text
language sql
volatile
parallel safe
set search_path = ''
as $$
  select s.user_id
  from tusk_cache.sessions s
  where s.sid_hash = tusk_cache.sid_hash(sid) and tusk_cache.live(s.expires_at)
$$;
comment on function tusk_cache.session_user_id(text) is
  'Whose session it is; null where it is over.';

create function tusk_cache.session_set(sid text, data jsonb)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  if data is null then
    raise exception 'the data is null' using errcode = '22023';
  end if;
  update tusk_cache.sessions s set data = session_set.data
  where s.sid_hash = tusk_cache.sid_hash(sid) and tusk_cache.live(s.expires_at);
  return found;
end
$$;
comment on function tusk_cache.session_set(text, jsonb) is
  'Replaces the data and keeps the end; false where the session is over.';

create function tusk_cache.session_touch(sid text, ttl interval default '1 day')
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
  hash constant bytea := tusk_cache.sid_hash(sid);
  deadline constant timestamptz := tusk_cache.deadline(ttl);
  -- Not every request writes: an end that is this near to the wanted one stays.
  slack constant interval := least(interval '1 minute', ttl / 10);
begin
  if ttl is null then
    raise exception 'a session has an end' using errcode = '22023';
  end if;
  update tusk_cache.sessions s
  set last_seen = clock_timestamp(), expires_at = deadline
  where s.sid_hash = hash
    and tusk_cache.live(s.expires_at)
    and (s.last_seen < clock_timestamp() - slack
      or s.expires_at not between deadline - slack and deadline + slack);
  return found or exists (
    select from tusk_cache.sessions s where s.sid_hash = hash and tusk_cache.live(s.expires_at));
end
$$;
comment on function tusk_cache.session_touch(text, interval) is
  'The session goes on for ttl from now, give or take a minute; false where it is over.';

create function tusk_cache.session_destroy(sid text)
returns boolean
language sql
volatile
set search_path = ''
as $$
  with gone as (
    delete from tusk_cache.sessions s
    where s.sid_hash = tusk_cache.sid_hash(sid)
    returning s.expires_at
  )
  select exists (select from gone where tusk_cache.live(expires_at))
$$;
comment on function tusk_cache.session_destroy(text) is 'Ends a session; false where it was over.';

create function tusk_cache.session_destroy_user(user_id text)
returns bigint
language sql
volatile
set search_path = ''
as $$
  with gone as (
    delete from tusk_cache.sessions s
    where s.user_id = session_destroy_user.user_id
    returning s.expires_at
  )
  select count(*) from gone where tusk_cache.live(expires_at)
$$;
comment on function tusk_cache.session_destroy_user(text) is
  'Ends all sessions of a user; returns how many.';

-- Rate limits

create function tusk_cache.microseconds(duration interval)
returns bigint
language sql
immutable
strict
parallel safe
set search_path = ''
as $$ select round((extract(epoch from duration) * 1000000)::numeric)::bigint $$;
comment on function tusk_cache.microseconds(interval) is
  'A duration as a number; a month has 30 days.';

create function tusk_cache.from_microseconds(amount numeric)
returns interval
language sql
immutable
strict
parallel safe
set search_path = ''
as $$ select ceil(amount)::float8 * interval '1 microsecond' $$;
comment on function tusk_cache.from_microseconds(numeric) is 'A number as a duration, rounded up.';

create function tusk_cache.rate_state(bucket text, key text, to_change boolean)
returns tusk_cache.rate_limits
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  state tusk_cache.rate_limits;
begin
  if rate_state.bucket is null or rate_state.key is null then
    raise exception 'a limit needs a bucket and a key' using errcode = '22023';
  end if;
  if not to_change then
    select * into state
    from tusk_cache.rate_limits r
    where r.bucket = rate_state.bucket and r.key = rate_state.key;
    return state;
  end if;
  -- More than one turn only where a sweep removes the row in between.
  loop
    select * into state
    from tusk_cache.rate_limits r
    where r.bucket = rate_state.bucket and r.key = rate_state.key
    for update;
    exit when found;
    insert into tusk_cache.rate_limits (bucket, key)
    values (rate_state.bucket, rate_state.key)
    on conflict (bucket, key) do nothing;
  end loop;
  return state;
end
$$;
comment on function tusk_cache.rate_state(text, text, boolean) is
  'What was used so far; locked, and made if missing, where it is to be changed.';

create function tusk_cache.throttle(
  bucket text,
  key text,
  max_burst integer,
  count_per_period integer,
  period interval,
  quantity integer default 1,
  out allowed boolean,
  out "limit" integer,
  out remaining integer,
  out retry_after interval,
  out reset_after interval)
language plpgsql
volatile
set search_path = ''
as $$
declare
  state tusk_cache.rate_limits;
  moment timestamptz;
  per_hit bigint;
  tolerance bigint;
  wanted bigint;
  ahead bigint := 0;
begin
  if max_burst is null or max_burst < 0 or count_per_period is null or count_per_period < 1
    or period is null or quantity is null or quantity < 0 then
    raise exception 'throttle takes max_burst >= 0, count_per_period > 0, a period, quantity >= 0'
      using errcode = '22023';
  end if;
  per_hit := tusk_cache.microseconds(period) / count_per_period;
  if per_hit < 1 then
    raise exception 'that is more than one a microsecond' using errcode = '22023';
  end if;
  "limit" := max_burst + 1;
  tolerance := per_hit * "limit";
  wanted := per_hit * quantity;
  state := tusk_cache.rate_state(bucket, key, quantity > 0);
  moment := clock_timestamp();
  -- How far the theoretical arrival time lies ahead of now.
  if state.algorithm = 'gcra' then
    ahead := greatest(tusk_cache.microseconds(state.arrival - moment), 0);
  end if;
  allowed := ahead + wanted <= tolerance;
  if allowed then
    ahead := ahead + wanted;
    retry_after := interval '-1 second';
  elsif wanted > tolerance then
    retry_after := interval '-1 second';
  else
    retry_after := tusk_cache.from_microseconds(ahead + wanted - tolerance);
  end if;
  remaining := greatest((tolerance - ahead) / per_hit, 0);
  reset_after := tusk_cache.from_microseconds(ahead);
  if allowed and quantity > 0 then
    update tusk_cache.rate_limits r
    set algorithm = 'gcra', max_hits = throttle."limit",
      period = tusk_cache.from_microseconds(tolerance),
      arrival = moment + throttle.reset_after, window_start = null, hits = 0, previous = 0,
      expires_at = moment + throttle.reset_after
    where r.bucket = throttle.bucket and r.key = throttle.key;
  end if;
end
$$;
comment on function tusk_cache.throttle(text, text, integer, integer, interval, integer) is
  'GCRA: count_per_period evenly, and max_burst more at once. retry_after is -1 s where allowed, '
  'or where quantity never is. quantity 0 looks. Call it as select * from throttle(…): '
  '(throttle(…)).* would count once a column.';

create function tusk_cache.rate_hit(
  bucket text,
  key text,
  max_hits integer,
  period interval,
  hits integer default 1,
  algorithm text default 'fixed',
  out allowed boolean,
  out remaining integer,
  out retry_after interval,
  out reset_after interval)
language plpgsql
volatile
set search_path = ''
as $$
declare
  span constant bigint := tusk_cache.microseconds(period);
  sliding constant boolean := algorithm = 'sliding';
  state tusk_cache.rate_limits;
  moment_us bigint;
  elapsed bigint;
  opened timestamptz;
  current_hits bigint := 0;
  previous_hits bigint := 0;
  free numeric;
  wait numeric;
begin
  if algorithm is null or algorithm not in ('fixed', 'sliding') then
    raise exception 'the algorithm is fixed or sliding, not %', algorithm using errcode = '22023';
  end if;
  if max_hits is null or max_hits < 1 or span is null or span < 1 or hits is null or hits < 0 then
    raise exception 'rate_hit takes max_hits > 0, a period, hits >= 0' using errcode = '22023';
  end if;
  state := tusk_cache.rate_state(bucket, key, hits > 0);
  -- Windows are counted from 1970, so all callers see the same ones.
  moment_us := round((extract(epoch from clock_timestamp()) * 1000000)::numeric);
  elapsed := moment_us % span;
  opened := timestamptz '1970-01-01 00:00:00+00'
    + tusk_cache.from_microseconds(moment_us - elapsed);
  if state.algorithm = rate_hit.algorithm and state.period = rate_hit.period then
    if state.window_start = opened then
      current_hits := state.hits;
      previous_hits := state.previous;
    elsif sliding and state.window_start = opened - tusk_cache.from_microseconds(span) then
      previous_hits := state.hits;
    end if;
  end if;
  -- Of the window before as much counts as a window that ends now still covers.
  free := max_hits - current_hits - previous_hits::numeric * (span - elapsed) / span;
  allowed := hits <= free;
  if allowed or hits > max_hits then
    wait := -1000000;
  elsif not sliding then
    wait := span - elapsed;
  elsif current_hits + hits <= max_hits then
    wait := span - span::numeric * (max_hits - current_hits - hits) / previous_hits - elapsed;
  else
    wait := 2 * span - elapsed - span::numeric * (max_hits - hits) / current_hits;
  end if;
  retry_after := tusk_cache.from_microseconds(wait);
  if allowed then
    free := free - hits;
    current_hits := current_hits + hits;
  end if;
  remaining := greatest(floor(free), 0);
  reset_after := tusk_cache.from_microseconds(case
    when current_hits > 0 and sliding then 2 * span - elapsed
    when current_hits > 0 or previous_hits > 0 then span - elapsed
    else 0
  end);
  if allowed and hits > 0 then
    update tusk_cache.rate_limits r
    set algorithm = rate_hit.algorithm, max_hits = rate_hit.max_hits, period = rate_hit.period,
      arrival = null, window_start = opened, hits = current_hits, previous = previous_hits,
      expires_at = clock_timestamp() + rate_hit.reset_after
    where r.bucket = rate_hit.bucket and r.key = rate_hit.key;
  end if;
end
$$;
comment on function tusk_cache.rate_hit(text, text, integer, interval, integer, text) is
  'At most max_hits a period. fixed: windows that begin empty; sliding: the window before counts '
  'in part. What is refused does not count. hits 0 looks. retry_after is -1 s where allowed, or '
  'where hits never are.';

create function tusk_cache.rate_peek(
  bucket text, key text, out used integer, out remaining integer, out reset_after interval)
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
declare
  method text;
  max_hits integer;
  period interval;
begin
  select r.algorithm, r.max_hits, r.period into method, max_hits, period
  from tusk_cache.rate_limits r
  where r.bucket = rate_peek.bucket and r.key = rate_peek.key and r.algorithm is not null;
  if not found then
    select
      b.algorithm,
      case b.algorithm when 'gcra' then b.burst + 1 else b.count end,
      case b.algorithm when 'gcra' then b.period / b.count * (b.burst + 1) else b.period end
    into method, max_hits, period
    from tusk_cache.rate_buckets b
    where b.name = rate_peek.bucket;
  end if;
  used := 0;
  reset_after := interval '0';
  if method = 'gcra' then
    select t.remaining, t.reset_after into remaining, reset_after
    from tusk_cache.throttle(rate_peek.bucket, rate_peek.key, max_hits - 1, max_hits, period, 0) t;
    used := max_hits - remaining;
  elsif method is not null then
    select h.remaining, h.reset_after into remaining, reset_after
    from tusk_cache.rate_hit(rate_peek.bucket, rate_peek.key, max_hits, period, 0, method) h;
    used := max_hits - remaining;
  end if;
end
$$;
comment on function tusk_cache.rate_peek(text, text) is
  'What is used of a limit, by the parameters of the last hit, or of the bucket of that name; '
  'remaining is null where neither is known.';

create function tusk_cache.rate_take(
  bucket text,
  key text,
  quantity integer default 1,
  out allowed boolean,
  out "limit" integer,
  out remaining integer,
  out retry_after interval,
  out reset_after interval)
language plpgsql
volatile
set search_path = ''
as $$
declare
  named tusk_cache.rate_buckets;
begin
  select * into named from tusk_cache.rate_buckets b where b.name = bucket;
  if not found then
    raise exception 'there is no bucket %', bucket using errcode = '22023';
  end if;
  if named.algorithm = 'gcra' then
    select t.* into allowed, "limit", remaining, retry_after, reset_after
    from tusk_cache.throttle(bucket, key, named.burst, named.count, named.period, quantity) t;
  else
    "limit" := named.count;
    select h.* into allowed, remaining, retry_after, reset_after
    from tusk_cache.rate_hit(bucket, key, named.count, named.period, quantity, named.algorithm) h;
  end if;
end
$$;
comment on function tusk_cache.rate_take(text, text, integer) is
  'throttle or rate_hit with the parameters of a row of rate_buckets.';

create function tusk_cache.rate_reset(bucket text, key text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from tusk_cache.rate_limits r
  where r.bucket = rate_reset.bucket and r.key = rate_reset.key;
  return found;
end
$$;
comment on function tusk_cache.rate_reset(text, text) is
  'Forgets what was used; false where nothing was.';

-- Feature flags

create function tusk_cache.flag_place(flag text, actor text)
returns integer
language sql
immutable
strict
parallel safe
set search_path = ''
as $$
  -- Never change this: who is in at 20 % must be in tomorrow. Four bytes of the hash, of 100,000.
  select ((get_byte(hash, 0) * 16777216::bigint + get_byte(hash, 1) * 65536
    + get_byte(hash, 2) * 256 + get_byte(hash, 3)) % 100000)::integer
  from sha256(convert_to(flag, 'UTF8') || '\x00' || convert_to(actor, 'UTF8')) hash
$$;
comment on function tusk_cache.flag_place(text, text) is
  'Where an actor stands in the rollout of a flag: 0 to 99,999, always the same.';

create function tusk_cache.flag_enabled(
  flag text, actor text default null, "default" boolean default false)
returns boolean
language sql
stable
parallel safe
set search_path = ''
as $$
  select coalesce(
    (select f.enabled and (
      f.percentage = 100
      or coalesce(actor = any (f.actors), false)
      or coalesce(tusk_cache.flag_place(f.name, actor) < f.percentage * 1000, false))
    from tusk_cache.feature_flags f
    where f.name = flag), "default")
$$;
comment on function tusk_cache.flag_enabled(text, text, boolean) is
  'Whether a flag is on for an actor; without an actor, whether it is on for all. A raised '
  'percentage keeps who was in. An unknown flag is as default says.';

create function tusk_cache.flag_set(
  name text,
  enabled boolean default null,
  percentage numeric default null,
  actors text[] default null)
returns void
language plpgsql
volatile
set search_path = ''
as $$
#variable_conflict use_column
begin
  if coalesce(flag_set.name, '') = '' then
    raise exception 'a flag needs a name' using errcode = '22023';
  end if;
  if flag_set.percentage not between 0 and 100 then
    raise exception 'a percentage is 0 to 100, not %', flag_set.percentage using errcode = '22023';
  end if;
  insert into tusk_cache.feature_flags as f (name, enabled, percentage, actors, updated_at)
  values (flag_set.name, coalesce(flag_set.enabled, false), coalesce(flag_set.percentage, 100),
    coalesce(flag_set.actors, '{}'), clock_timestamp())
  on conflict (name) do update
  set enabled = coalesce(flag_set.enabled, f.enabled),
    percentage = coalesce(flag_set.percentage, f.percentage),
    actors = coalesce(flag_set.actors, f.actors),
    updated_at = excluded.updated_at;
end
$$;
comment on function tusk_cache.flag_set(text, boolean, numeric, text[]) is
  'Makes or changes a flag; what is null stays. A new flag is off, and for all once it is on.';

create function tusk_cache.flag_delete(name text)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  delete from tusk_cache.feature_flags f where f.name = flag_delete.name;
  return found;
end
$$;
comment on function tusk_cache.flag_delete(text) is 'Removes a flag; false where there was none.';

-- Upkeep

create function tusk_cache.count_removed(name text, amount bigint)
returns void
language sql
volatile
set search_path = ''
as $$
  insert into tusk_cache.counters as c (name, total)
  select count_removed.name, amount where amount > 0
  on conflict (name) do update set total = c.total + excluded.total
$$;
comment on function tusk_cache.count_removed(text, bigint) is 'Adds to a counter.';

create function tusk_cache.evict(batch integer)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  evicted bigint;
begin
  -- Cheap where nothing is to do: no sort.
  if (select coalesce(sum(c.bytes), 0) from tusk_cache.cache c where tusk_cache.live(c.expires_at))
    <= (select s.max_bytes from tusk_cache.settings s) then
    return 0;
  end if;
  with ages as (
    select c.key, c.created_at, sum(c.bytes) over (order by c.created_at desc, c.key desc) as kept
    from tusk_cache.cache c
    where tusk_cache.live(c.expires_at)
  ), doomed as materialized (
    select c.key
    from tusk_cache.cache c
    join ages a on a.key = c.key
    where a.kept > (select s.max_bytes from tusk_cache.settings s)
    order by a.created_at, a.key
    limit batch
    for update of c skip locked
  )
  delete from tusk_cache.cache c using doomed d where c.key = d.key;
  get diagnostics evicted = row_count;
  perform tusk_cache.count_removed('evicted', evicted);
  return evicted;
end
$$;
comment on function tusk_cache.evict(integer) is
  'Removes the values that were set longest ago until the rest fits max_bytes; returns how many.';

create function tusk_cache.sweep(batch integer default 1000)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  moment constant timestamptz := clock_timestamp();
  removed bigint;
  total bigint := 0;
begin
  if batch is null or batch < 1 then
    raise exception 'the batch must be positive' using errcode = '22023';
  end if;
  with doomed as materialized (
    select c.key from tusk_cache.cache c where c.expires_at <= moment
    order by c.expires_at limit batch for update skip locked
  )
  delete from tusk_cache.cache c using doomed d where c.key = d.key;
  get diagnostics removed = row_count;
  perform tusk_cache.count_removed('expired', removed);
  total := total + removed;
  with doomed as materialized (
    select s.sid_hash from tusk_cache.sessions s where s.expires_at <= moment
    order by s.expires_at limit batch for update skip locked
  )
  delete from tusk_cache.sessions s using doomed d where s.sid_hash = d.sid_hash;
  get diagnostics removed = row_count;
  total := total + removed;
  with doomed as materialized (
    select r.bucket, r.key from tusk_cache.rate_limits r where r.expires_at <= moment
    limit batch for update skip locked
  )  -- No index on expires_at: without one a hit changes no index.
  delete from tusk_cache.rate_limits r using doomed d where r.bucket = d.bucket and r.key = d.key;
  get diagnostics removed = row_count;
  return total + removed + tusk_cache.evict(batch);
end
$$;
comment on function tusk_cache.sweep(integer) is
  'Removes what has expired, of each table up to batch rows, and evicts beyond max_bytes. Returns '
  'how many rows went: call it again while that is at least batch. Two at once share the work.';

create function tusk_cache.stats(
  out keys bigint, out bytes bigint, out expired bigint, out evicted bigint, out max_bytes bigint)
language sql
volatile
parallel safe
set search_path = ''
as $$
  select
    count(*),
    coalesce(sum(c.bytes), 0)::bigint,
    coalesce((select n.total from tusk_cache.counters n where n.name = 'expired'), 0),
    coalesce((select n.total from tusk_cache.counters n where n.name = 'evicted'), 0),
    (select s.max_bytes from tusk_cache.settings s)
  from tusk_cache.cache c
  where tusk_cache.live(c.expires_at)
$$;
comment on function tusk_cache.stats() is
  'Live keys and their bytes; what sweeps removed since the last crash of the server.';

-- Who may do what. The functions run with the rights of their caller, so what counts are those of
-- the tables. Roles belong to the whole server: without the right to make them, the owner works
-- alone.

revoke all on all functions in schema tusk_cache from public;
revoke all on all tables in schema tusk_cache from public;

do $$
declare
  role_name text;
begin
  foreach role_name in array array['tusk_reader', 'tusk_writer', 'tusk_monitor', 'tusk_admin'] loop
    continue when exists (select from pg_catalog.pg_roles r where r.rolname = role_name);
    begin
      execute format('create role %I nologin', role_name);
    exception
      when insufficient_privilege then
        raise notice 'role % is missing, and making roles is not allowed here', role_name;
      when duplicate_object or unique_violation then
        null;  -- Another database of this server made it just now.
    end;
  end loop;
end
$$;

do $$
declare
  given record;
begin
  for given in
    select g.role_name, g.what
    from (values
      ('tusk_reader', 'usage on schema tusk_cache'),
      ('tusk_reader', 'select on tusk_cache.cache, tusk_cache.settings, tusk_cache.rate_limits,
        tusk_cache.rate_buckets, tusk_cache.feature_flags'),
      ('tusk_reader', 'execute on function tusk_cache.live(timestamptz, timestamptz),
        tusk_cache.get(text), tusk_cache.get_bytes(text), tusk_cache.mget(text[]),
        tusk_cache.exists(text[]), tusk_cache.ttl(text), tusk_cache.pttl(text),
        tusk_cache.milliseconds_left(timestamptz), tusk_cache.scan(text, text, integer),
        tusk_cache.glob_regex(text), tusk_cache.flag_enabled(text, text, boolean),
        tusk_cache.flag_place(text, text), tusk_cache.rate_peek(text, text),
        tusk_cache.throttle(text, text, integer, integer, interval, integer),
        tusk_cache.rate_hit(text, text, integer, interval, integer, text),
        tusk_cache.rate_state(text, text, boolean), tusk_cache.microseconds(interval),
        tusk_cache.from_microseconds(numeric)'),
      ('tusk_writer', 'usage on schema tusk_cache'),
      ('tusk_writer', 'select, insert, update, delete on tusk_cache.cache, tusk_cache.sessions,
        tusk_cache.rate_limits, tusk_cache.counters'),
      ('tusk_writer', 'select on tusk_cache.settings, tusk_cache.rate_buckets,
        tusk_cache.feature_flags'),
      ('tusk_writer', 'execute on all functions in schema tusk_cache'),
      ('tusk_monitor', 'usage on schema tusk_cache'),
      ('tusk_monitor', 'select (bytes, created_at, expires_at) on tusk_cache.cache'),
      ('tusk_monitor', 'select on tusk_cache.settings, tusk_cache.counters'),
      ('tusk_monitor', 'execute on function tusk_cache.stats(),
        tusk_cache.live(timestamptz, timestamptz)'),
      ('tusk_admin', 'usage on schema tusk_cache'),
      ('tusk_admin', 'select, insert, update, delete, truncate on all tables in schema tusk_cache'),
      ('tusk_admin', 'execute on all functions in schema tusk_cache')
    ) as g (role_name, what)
    join pg_catalog.pg_roles r on r.rolname = g.role_name
  loop
    execute format('grant %s to %I', given.what, given.role_name);
  end loop;
end
$$;
