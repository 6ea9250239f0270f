-- The rules of sql/cache, for pg_prove: a database where the up script ran and pgTAP can be installed.
-- Nothing waits for time to pass: what has expired is written as such.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset pager off
begin;
create extension if not exists pgtap;
set local client_min_messages = warning;
select * from no_plan();

-- A case: in this state of the key k, this call returns this and leaves that.
-- States: missing, expired, live (1 for 1,000 s), endless (1), and what after() writes.

create function pg_temp.given(state text) returns void language sql as $$
  delete from tusk_cache.cache;
  insert into tusk_cache.cache (key, value, expires_at)
  select 'k', '1', case state
    when 'expired' then clock_timestamp() - interval '1 second'
    when 'live' then clock_timestamp() + interval '1000 seconds'
  end
  where state <> 'missing';
$$;

create function pg_temp.after() returns text language sql as $$
  select coalesce(string_agg(concat_ws(' ', c.key, c.value, case
      when tusk_cache.ttl(c.key) = -1 then 'endless'
      when tusk_cache.ttl(c.key) <= 60 then 'minute'
      when tusk_cache.ttl(c.key) <= 1000 then 'live'
      when tusk_cache.ttl(c.key) <= 3600 then 'hour'
      else 'day' end), ', ' order by c.key), 'missing')
  from tusk_cache.cache c where tusk_cache.live(c.expires_at)
$$;

create function pg_temp.outcome(state text, call text) returns text language plpgsql as $$
declare
  answer text;
begin
  perform pg_temp.given(state);
  begin
    execute format('select string_agg(coalesce(x::text, ''null''), '' '') from %s x',
      'tusk_cache.' || call) into answer;
  exception when others then
    answer := sqlstate;
  end;
  return coalesce(answer, 'nothing') || ': ' || pg_temp.after();
end
$$;

-- The SQLSTATE that a call ends with, or fine.
create function pg_temp.error_of(call text) returns text language plpgsql as $$
begin
  execute 'select ' || call;
  return 'fine';
exception when others then
  return sqlstate;
end
$$;

create temporary table cases (n integer generated always as identity, state text, call text, expected text);

insert into cases (state, call, expected) values
  -- GET sees what has not expired.
  ('missing', $$get('k')$$, 'null: missing'),
  ('expired', $$get('k')$$, 'null: missing'),
  ('live', $$get('k')$$, '1: k 1 live'),
  ('endless', $$get('k')$$, '1: k 1 endless'),
  ('live', $$get(null)$$, 'null: k 1 live'),
  -- SET replaces value and end.
  ('missing', $$set('k', '2')$$, 'true: k 2 hour'),
  ('live', $$set('k', '2')$$, 'true: k 2 hour'),
  ('endless', $$set('k', '2')$$, 'true: k 2 hour'),
  ('live', $$set('k', '2', ttl => '1 minute')$$, 'true: k 2 minute'),
  ('live', $$set('k', '2', ttl => null)$$, 'true: k 2 endless'),
  ('live', $$set('k', 'null')$$, 'true: k null hour'),
  ('live', $$set('k', '2', ttl => '0')$$, '22023: k 1 live'),
  ('live', $$set('k', '2', ttl => '-1 s')$$, '22023: k 1 live'),
  ('live', $$set('k', null)$$, '22023: k 1 live'),
  ('live', $$set(null, '2')$$, '22023: k 1 live'),
  ('live', $$set('', '2')$$, '22023: k 1 live'),
  ('missing', $$set(repeat('k', 1025), '2')$$, '22023: missing'),
  ('missing', $$set(repeat('é', 513), '2')$$, '22023: missing'),
  -- NX: only what is not there; XX: only what is.
  ('missing', $$set('k', '2', nx => true)$$, 'true: k 2 hour'),
  ('expired', $$set('k', '2', nx => true)$$, 'true: k 2 hour'),
  ('live', $$set('k', '2', nx => true)$$, 'false: k 1 live'),
  ('endless', $$set('k', '2', nx => true)$$, 'false: k 1 endless'),
  ('missing', $$set('k', '2', xx => true)$$, 'false: missing'),
  ('expired', $$set('k', '2', xx => true)$$, 'false: missing'),
  ('live', $$set('k', '2', xx => true)$$, 'true: k 2 hour'),
  ('endless', $$set('k', '2', xx => true)$$, 'true: k 2 hour'),
  ('live', $$set('k', '2', nx => true, xx => true)$$, '22023: k 1 live'),
  -- KEEPTTL
  ('missing', $$set('k', '2', '1 day', keepttl => true)$$, 'true: k 2 day'),
  ('expired', $$set('k', '2', '1 day', keepttl => true)$$, 'true: k 2 day'),
  ('live', $$set('k', '2', '1 day', keepttl => true)$$, 'true: k 2 live'),
  ('endless', $$set('k', '2', '1 day', keepttl => true)$$, 'true: k 2 endless'),
  ('live', $$set('k', '2', '1 day', xx => true, keepttl => true)$$, 'true: k 2 live'),
  -- DEL, GETDEL, EXISTS count what is there.
  ('missing', $$del('k')$$, '0: missing'),
  ('expired', $$del('k')$$, '0: missing'),
  ('live', $$del('k', 'k', 'l')$$, '1: missing'),
  ('missing', $$getdel('k')$$, 'null: missing'),
  ('expired', $$getdel('k')$$, 'null: missing'),
  ('endless', $$getdel('k')$$, '1: missing'),
  ('missing', $$"exists"('k')$$, '0: missing'),
  ('expired', $$"exists"('k')$$, '0: missing'),
  ('live', $$"exists"('k', 'l')$$, '1: k 1 live'),
  ('live', $$"exists"('k', 'k')$$, '2: k 1 live'),
  -- MGET keeps the order and says null; MSET is all or nothing.
  ('live', $$mget('l', 'k', 'l')$$, '(l,) (k,1) (l,): k 1 live'),
  ('expired', $$mget('k')$$, '(k,): missing'),
  ('live', $$mset('{"k": 2, "l": [3]}')$$, '2: k 2 hour, l [3] hour'),
  ('live', $$mset('{"l": null}', ttl => null)$$, '1: k 1 live, l null endless'),
  ('live', $$mset('{}')$$, '0: k 1 live'),
  ('live', $$mset('[1]')$$, '22023: k 1 live'),
  ('live', $$mset(null)$$, '22023: k 1 live'),
  ('live', $$mset('{"k": 2, "": 3}')$$, '22023: k 1 live'),
  ('live', $$mset('{"k": 2}', '-1 s')$$, '22023: k 1 live'),
  -- EXPIRE
  ('missing', $$expire('k', '1 minute')$$, 'false: missing'),
  ('expired', $$expire('k', '1 minute')$$, 'false: missing'),
  ('live', $$expire('k', '1 minute')$$, 'true: k 1 minute'),
  ('endless', $$expire('k', '1 minute')$$, 'true: k 1 minute'),
  ('live', $$expire('k', '0')$$, 'true: missing'),
  ('live', $$expire('k', '-1 s')$$, 'true: missing'),
  ('missing', $$expire('k', '-1 s')$$, 'false: missing'),
  ('live', $$expire('k', null)$$, '22023: k 1 live'),
  ('live', $$expire('k', '1 minute', 'never')$$, '22023: k 1 live'),
  ('live', $$expire_at('k', 'infinity')$$, '22023: k 1 live'),
  ('live', $$expire_at('k', clock_timestamp() + '1 minute')$$, 'true: k 1 minute'),
  ('live', $$expire_at('k', '2001-01-01')$$, 'true: missing'),
  -- The conditions of EXPIRE; no end is endless.
  ('live', $$expire('k', '1 minute', 'NX')$$, 'false: k 1 live'),
  ('endless', $$expire('k', '1 minute', 'NX')$$, 'true: k 1 minute'),
  ('live', $$expire('k', '1 minute', 'xx')$$, 'true: k 1 minute'),
  ('endless', $$expire('k', '1 minute', 'XX')$$, 'false: k 1 endless'),
  ('live', $$expire('k', '1 minute', 'GT')$$, 'false: k 1 live'),
  ('live', $$expire('k', '1 hour', 'GT')$$, 'true: k 1 hour'),
  ('endless', $$expire('k', '1 hour', 'GT')$$, 'false: k 1 endless'),
  ('live', $$expire('k', '1 minute', 'LT')$$, 'true: k 1 minute'),
  ('live', $$expire('k', '1 hour', 'LT')$$, 'false: k 1 live'),
  ('endless', $$expire('k', '1 hour', 'LT')$$, 'true: k 1 hour'),
  ('live', $$expire('k', '-1 s', 'NX')$$, 'false: k 1 live'),
  ('live', $$expire('k', '-1 s', 'GT')$$, 'false: k 1 live'),
  ('live', $$expire('k', '-1 s', 'LT')$$, 'true: missing'),
  -- PERSIST
  ('missing', $$persist('k')$$, 'false: missing'),
  ('expired', $$persist('k')$$, 'false: missing'),
  ('live', $$persist('k')$$, 'true: k 1 endless'),
  ('endless', $$persist('k')$$, 'false: k 1 endless'),
  -- TTL
  ('missing', $$ttl('k')$$, '-2: missing'),
  ('expired', $$ttl('k')$$, '-2: missing'),
  ('endless', $$ttl('k')$$, '-1: k 1 endless'),
  ('missing', $$pttl('k')$$, '-2: missing'),
  ('expired', $$pttl('k')$$, '-2: missing'),
  ('endless', $$pttl('k')$$, '-1: k 1 endless'),
  -- INCR keeps the end; a new key has the one given, or none.
  ('missing', $$incr('k')$$, '1: k 1 endless'),
  ('missing', $$incr('k', 5, '1 minute')$$, '5: k 5 minute'),
  ('expired', $$incr('k', 5)$$, '5: k 5 endless'),
  ('expired', $$incr('k', 5, '1 minute')$$, '5: k 5 minute'),
  ('live', $$incr('k')$$, '2: k 2 live'),
  ('live', $$incr('k', -3, '1 minute')$$, '-2: k -2 live'),
  ('endless', $$incr('k', 1, '1 minute')$$, '2: k 2 endless'),
  ('live', $$incr('k', 9223372036854775807)$$, '22003: k 1 live'),
  ('live', $$incr('k', null)$$, '22023: k 1 live'),
  ('live', $$incr('')$$, '22023: k 1 live'),
  -- RENAME carries value and end, over what was there.
  ('missing', $$rename('k', 'l')$$, 'false: missing'),
  ('expired', $$rename('k', 'l')$$, 'false: missing'),
  ('live', $$rename('k', 'l')$$, 'true: l 1 live'),
  ('endless', $$rename('k', 'l')$$, 'true: l 1 endless'),
  ('live', $$rename('k', 'k')$$, 'true: k 1 live'),
  ('expired', $$rename('k', 'k')$$, 'false: missing'),
  ('missing', $$rename('l', 'k')$$, 'false: missing'),
  ('live', $$rename('l', 'k')$$, 'false: k 1 live'),
  ('live', $$rename('k', '')$$, '22023: k 1 live'),
  -- FLUSH
  ('live', $$flush()$$, '1: missing'),
  ('expired', $$flush()$$, '0: missing'),
  ('live', $$flush('l*')$$, '0: k 1 live'),
  ('live', $$flush('?')$$, '1: missing'),
  -- SCAN and SWEEP refuse nonsense.
  ('live', $$scan()$$, 'k: k 1 live'),
  ('live', $$scan('k')$$, 'nothing: k 1 live'),
  ('expired', $$scan()$$, 'nothing: missing'),
  ('live', $$scan(count => 0)$$, '22023: k 1 live'),
  ('live', $$sweep(0)$$, '22023: k 1 live'),
  ('expired', $$sweep()$$, '1: missing'),
  ('live', $$sweep()$$, '0: k 1 live'),
  ('endless', $$sweep()$$, '0: k 1 endless'),
  -- Bytes
  ('live', $$set_bytes('k', '2')$$, 'true: k 2 hour'),
  ('live', $$set_bytes('k', '2', nx => true)$$, 'false: k 1 live'),
  ('missing', $$set_bytes('k', '2', xx => true)$$, 'false: missing'),
  ('live', $$set_bytes('k', '2', keepttl => true)$$, 'true: k 2 live'),
  ('live', $$set_bytes('k', null)$$, '22023: k 1 live'),
  ('missing', $$get_bytes('k')$$, 'null: missing'),
  ('expired', $$get_bytes('k')$$, 'null: missing'),
  ('live', $$get_bytes('k')$$, '\x31: k 1 live'),
  ('missing', $$append('k', '2')$$, '1: k 2 hour'),
  ('expired', $$append('k', '2', null)$$, '1: k 2 endless'),
  ('live', $$append('k', '2')$$, '2: k 12 live'),
  ('endless', $$append('k', 'x')$$, '2: k "1x" endless'),
  ('live', $$append('k', null)$$, '22023: k 1 live');

select is(pg_temp.outcome(state, call), expected, state || ': ' || call) from cases order by n;

-- Two keys

select pg_temp.given('live');
select tusk_cache.set('l', '2', '1 day');
select is(tusk_cache.rename('l', 'k', nx => true), false, 'rename nx leaves what is there');
select is(pg_temp.after(), 'k 1 live, l 2 day', 'both are still there');
select is(tusk_cache.rename('l', 'k'), true, 'rename replaces');
select is(pg_temp.after(), 'k 2 day', 'value and end moved');

-- INCR takes integers only

select is(
  pg_temp.error_of(format('tusk_cache.set(''k'', %L), tusk_cache.incr(''k'')', value)), expected, 'incr on ' || value)
from (values
  ('7', 'fine'), ('-7', 'fine'), ('1e3', 'fine'), ('1.5', '22023'), ('7.0', '22023'), ('"7"', '22023'),
  ('null', '22023'), ('[7]', '22023'), ('{"a": 7}', '22023'), ('true', '22023'),
  ('9223372036854775808', '22003')
) as v (value, expected);

-- Time left is rounded to seconds, as Redis does

select pg_temp.given('live');
select ok(tusk_cache.pttl('k') between 900000 and 1000000, 'pttl is in milliseconds');
select ok(tusk_cache.ttl('k') between 900 and 1000, 'ttl is in seconds');
update tusk_cache.cache set expires_at = 'infinity';
select is(tusk_cache.ttl('k'), -1::bigint, 'infinity is no end');

-- Bytes: what get sees of them, and that get_bytes returns them

create function pg_temp.seen(content bytea) returns text language plpgsql as $$
begin
  perform tusk_cache.set_bytes('k', content);
  if tusk_cache.get_bytes('k') is distinct from content then
    return 'other bytes';
  end if;
  return (select concat_ws(' ', c.value, case when c.raw is not null then 'and raw' end,
      case when c.bytes <> octet_length(content) then 'wrong length' end)
    from tusk_cache.cache c where c.key = 'k');
end
$$;
select is(pg_temp.seen(content), expected || case when raw then ' and raw' else '' end, 'bytes: ' || what)
from (values
  ('JSON as jsonb writes it', '{"a": 1}'::bytea, '{"a": 1}', false),
  ('JSON with other spaces', '{"a":1}', '{"a": 1}', true),
  ('JSON of another order', '{"b": 1, "a": 2}', '{"a": 2, "b": 1}', true),
  ('a number with its line end', E'5\n', '5', true),
  ('text', E'hello\n', '"hello\n"', true),
  ('text beyond ASCII', convert_to('čaj', 'UTF8'), '"čaj"', true),
  ('JSON after blanks', E' \t\r\n[1]', '[1]', true),
  ('words that begin as JSON does', 'truth', '"truth"', true),
  ('a line that begins as a number does', '-- 1', '"-- 1"', true),
  ('nothing', '', '""', true),
  ('a zero byte', '\x6100', 'null', true),
  ('no text', '\xff00fe', 'null', true),
  ('JSON with an escaped zero', '"\\u0000"', '"\"\\u0000\""', true),
  ('brackets deeper than a parser goes', convert_to(repeat('[', 20000), 'UTF8'),
    to_jsonb(repeat('[', 20000))::text, true)
) as v (what, content, expected, raw);

select is(tusk_cache.set_bytes('k', E'5\n'), true, 'a number from a file');
select is(tusk_cache.incr('k'), 6::bigint, 'counts on');
select is(tusk_cache.get_bytes('k'), '6', 'and its bytes are those of the number');

-- Many at once

create function pg_temp.stored(keys text[], contents bytea[], keep_ttl boolean[]) returns text language plpgsql as $$
begin
  return (
    select string_agg(
      concat_ws(' ', m.key, convert_from(tusk_cache.get_bytes(m.key), 'UTF8'), m.bytes,
        round(extract(epoch from m.expires_at - m.created_at) / 60)),
      ', ' order by m.key)
    from tusk_cache.mset_bytes(keys, contents, keep_ttl) m);
exception when others then
  return sqlstate;
end
$$;
delete from tusk_cache.cache;
select tusk_cache.set_bytes('kept', '1', '5 minutes'), tusk_cache.set_bytes('anew', '1', '5 minutes'),
  tusk_cache.set_bytes('never', '1', null);
insert into tusk_cache.cache (key, value, expires_at) values ('over', '1', now() - interval '1 hour');
select is(
  pg_temp.stored(array['new', 'kept', 'over', 'anew'], array['a', '22', '{"b":1}', '3']::bytea[],
    array[false, true, true, false]),
  'anew 3 1 60, kept 22 2 5, new a 1 60, over {"b":1} 7 60', 'each with the end it is to have');
select is(pg_temp.stored(array['never'], array['2']::bytea[], array[true]), 'never 2 1', 'no end stays no end');
select is(tusk_cache.ttl('never'), -1::bigint, 'as ttl says');
select is(pg_temp.stored(array['a', ''], array['1', '2']::bytea[], array[false, false]), '22023', 'a key of no bytes');
select is(pg_temp.stored(array['a', null], array['1', '2']::bytea[], array[false, false]), '22023', 'a key of null');
select is(
  pg_temp.stored(array['a', repeat('k', 1025)], array['1', '2']::bytea[], array[false, false]), '22023',
  'a key too long');
select is(pg_temp.stored(array['a', 'b'], array['1', null]::bytea[], array[false, false]), '23502', 'no value');
select is(tusk_cache.get_bytes('a'), null, 'and none of them is stored');

-- SCAN: patterns, pages

select is(
  (select coalesce(string_agg(name, ' '), '') from unnest(names) name
    where name collate "C" ~ tusk_cache.glob_regex(pattern)), expected, 'pattern ' || pattern)
from (values
  ('*', array['a', 'a/b', E'a\nb', ''], E'a a/b a\nb '),
  ('user:*', array['user:1', 'user', 'xuser:1', 'user:'], 'user:1 user:'),
  ('h?llo', array['hello', 'hllo', 'heello', 'h*llo'], 'hello h*llo'),
  ('h[ae]llo', array['hello', 'hallo', 'hillo'], 'hello hallo'),
  ('h[^e]llo', array['hello', 'hallo', 'h^llo'], 'hallo h^llo'),
  ('h[a-b]llo', array['hallo', 'hbllo', 'hcllo', 'h-llo'], 'hallo hbllo'),
  ('h\*llo', array['h*llo', 'hello'], 'h*llo'),
  ('a.b', array['a.b', 'axb'], 'a.b'),
  ('a+(b)|c$', array['a+(b)|c$', 'aab'], 'a+(b)|c$'),
  ('[\d]', array['d', '1', '\'], 'd'),
  ('[[:alpha:]]', array[':]', 'a', 'a]'], ':] a]'),
  ('[a', array['[a', 'a'], '[a'),
  ('a\', array['a\', 'a'], 'a\'),
  ('***:x', array['***:x', 'x', 'a:x'], '***:x a:x'),
  ('(?i)a', array['A', '(?i)a', '(xi)a'], '(?i)a (xi)a'),
  ('é?', array['éa', 'éé', 'ea'], 'éa éé'),
  ('', array['', 'a'], '')
) as v (pattern, names, expected);

delete from tusk_cache.cache;
insert into tusk_cache.cache (key, value, expires_at)
select 'k' || i, '1', case when i % 10 <> 3 then now() + interval '1 day' else now() - interval '1 s' end
from generate_series(1000, 1249) i;
with recursive pages as (
  select array(select tusk_cache.scan(count => 7)) as found, 1 as n
  union all
  select array(select tusk_cache.scan(after => found[cardinality(found)], count => 7)), n + 1
  from pages
  where cardinality(found) = 7
)
select is(array_agg(key order by n, key), (select array_agg(c.key order by c.key) from tusk_cache.cache c
  where tusk_cache.live(c.expires_at)), 'pages of scan: every live key once, in order')
from pages, unnest(found) key;
select is(array(select tusk_cache.scan('k1009', 'k*[05]', 3)), array['k1010', 'k1015', 'k1020'],
  'a page of what matches is full');
insert into tusk_cache.cache (key, value) values ('Z', '1'), ('a', '1'), ('é', '1'), ('z', '1');
select is(array(select tusk_cache.scan(match => '?')), array['Z', 'a', 'z', 'é'], 'keys in the order of their bytes');

-- What is written without the functions

insert into tusk_cache.cache (key, value) values ('plain', '{"a": 1}');
select is(expires_at, now() + interval '1 hour', 'INSERT gives an hour') from tusk_cache.cache where key = 'plain';
select throws_ok($$insert into tusk_cache.cache (key, value) values ('', '1')$$, '23514');
select throws_ok($$insert into tusk_cache.cache (key, value) values ('k', null)$$, '23502');

-- Limits

update tusk_cache.settings set max_value = 100, default_ttl = '1 minute';
select is(pg_temp.outcome('live', call), expected, 'with limits: ' || call)
from (values
  ($$set('k', to_jsonb(repeat('x', 98)))$$, 'true: k "' || repeat('x', 98) || '" minute'),
  ($$set('k', to_jsonb(repeat('x', 99)))$$, '54000: k 1 live'),
  ($$set('k', to_jsonb(repeat('x', 99)), xx => true)$$, '54000: k 1 live'),
  ($$set('l', to_jsonb(repeat('x', 99)))$$, '54000: k 1 live'),
  ($$mset(jsonb_build_object('a', 1, 'l', repeat('x', 99)))$$, '54000: k 1 live'),
  ($$set_bytes('k', decode(repeat('ff', 100), 'hex'))$$, 'true: k null minute'),
  ($$set_bytes('k', decode(repeat('ff', 101), 'hex'))$$, '54000: k 1 live'),
  ($$append('k', convert_to(repeat(' ', 99), 'UTF8'))$$, '100: k 1 live'),
  ($$append('k', convert_to(repeat(' ', 100), 'UTF8'))$$, '54000: k 1 live')
) as v (call, expected);
select throws_ok($$insert into tusk_cache.cache (key, value) values ('z', to_jsonb(repeat('x', 99)))$$, '54000');
select tusk_cache.set('k', to_jsonb(repeat('x', 90)));
update tusk_cache.settings set max_value = 50;
select is(tusk_cache.expire('k', '1 day'), true, 'what was too large by a later limit still gets an end');
update tusk_cache.settings set max_value = default, default_ttl = default;
select throws_ok('insert into tusk_cache.settings default values', '23505');
select throws_ok($$update tusk_cache.settings set default_ttl = '0'$$, '23514');

-- The sweep: what has expired, in batches; what was set longest ago beyond max_bytes

delete from tusk_cache.cache;
delete from tusk_cache.counters;
insert into tusk_cache.cache (key, value, expires_at)
select 'e' || i, '1', now() - i * interval '1 s' from generate_series(1, 25) i;
insert into tusk_cache.cache (key, value, created_at)
select 'k' || i, to_jsonb(repeat('x', 98)), now() - i * interval '1 s' from generate_series(1, 10) i;
select is(tusk_cache.sweep(10), 10::bigint, 'a sweep removes a batch');
select is((select count(*) from tusk_cache.cache where key like 'e%'), 15::bigint, 'and no more');
select is((select min(substr(key, 2)::int) || ' ' || max(substr(key, 2)::int) from tusk_cache.cache where key like 'e%'),
  '1 15', 'what expired first goes first');
select is(tusk_cache.sweep(), 15::bigint, 'the rest');
select is(tusk_cache.sweep(), 0::bigint, 'nothing is left to sweep');
update tusk_cache.settings set max_bytes = 1000;
select is(tusk_cache.sweep(), 0::bigint, 'exactly max_bytes may stay');
update tusk_cache.settings set max_bytes = 450;
select is(tusk_cache.sweep(2), 2::bigint, 'eviction keeps to the batch');
select is(array(select tusk_cache.scan(match => 'k*')), array['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8'],
  'what was set longest ago is evicted first');
select is(tusk_cache.sweep(), 4::bigint, 'until the rest fits');
select is(array(select tusk_cache.scan()), array['k1', 'k2', 'k3', 'k4'], 'the newest stay');
select is((select s from tusk_cache.stats() s)::text, '(4,400,25,6,450)', 'stats counts it');
update tusk_cache.settings set max_bytes = default;
insert into tusk_cache.sessions (sid_hash, expires_at)
values (sha256('1'), now() - interval '1 s'), (sha256('2'), now() + interval '1 day');
insert into tusk_cache.rate_limits (bucket, key, expires_at)
values ('b', '1', now() - interval '1 s'), ('b', '2', now() + interval '1 day');
select is(tusk_cache.sweep(), 2::bigint, 'sessions and limits are swept too');
select is((select count(*) from tusk_cache.sessions) + (select count(*) from tusk_cache.rate_limits), 2::bigint,
  'those that go on stay');
delete from tusk_cache.rate_limits;

-- The change feed

select is(tusk_cache.feed_payload(keys), expected, 'feed: ' || what)
from (values
  ('no key', '{}'::text[], null),
  ('one', array['a'], '["a"]'),
  ('to be quoted', array['a"b', E'c\n'], '["a\"b","c\n"]'),
  ('as many bytes as fit', array[repeat('x', 6995)], '["' || repeat('x', 6995) || '"]'),
  ('one byte more', array[repeat('x', 6996)], '*'),
  ('many', array_fill('x'::text, array[2000]), '*')
) as v (what, keys, expected);

-- Responses of other services: what is kept, what is fresh, what a client has already

create function pg_temp.answered(key text, ttl interval, etag text default null) returns text language sql as $$
  select coalesce((select concat_ws(' ', f.status, coalesce(convert_from(f.body, 'LATIN1'), 'no body'),
    case when f.fresh then 'fresh' else 'old' end) from tusk_cache.api_fetch(key, ttl, etag) f), 'nothing')
$$;
create function pg_temp.kept_body(body bytea) returns bytea language plpgsql as $$
begin
  perform tusk_cache.api_store('b', 200, '{}', kept_body.body);
  return (select f.body from tusk_cache.api_fetch('b', null) f);
end
$$;
create function pg_temp.answered_to(value jsonb) returns text language plpgsql as $$
begin
  perform tusk_cache.set('r', value);
  return pg_temp.answered('r', null);
end
$$;
create function pg_temp.given_response(age interval) returns void language plpgsql as $$
begin
  delete from tusk_cache.cache;
  perform tusk_cache.api_store('r', 200, '{"ETag": "\"v1\"", "Content-Type": "text/plain"}', 'hello', '1 day');
  update tusk_cache.cache set created_at = clock_timestamp() - age;
end
$$;
delete from tusk_cache.cache;
select is(pg_temp.answered('r', '1 hour'), 'nothing', 'nothing is kept: fetch it');
select pg_temp.given_response('10 minutes');
select is(pg_temp.answered('r', ttl::interval, etag), expected, format('api_fetch of 10 minutes ago, ttl %s, etag %s', ttl, etag))
from (values
  ('1 hour', null, '200 hello fresh'), ('5 minutes', null, '200 hello old'), (null, null, '200 hello fresh'),
  ('0', null, '200 hello old'), ('-1 s', null, '200 hello old'),
  ('1 hour', '"v1"', '304 no body fresh'), ('1 hour', 'W/"v1"', '304 no body fresh'), ('1 hour', '"v2"', '200 hello fresh'),
  ('1 hour', '"v2", W/"v1"', '304 no body fresh'), ('1 hour', '*', '304 no body fresh'), ('1 hour', 'v1', '200 hello fresh'),
  ('1 hour', '', '200 hello fresh'), ('5 minutes', '"v1"', '304 no body old')
) as v (ttl, etag, expected);
select is((select headers from tusk_cache.api_fetch('r', null)), '{"etag": "\"v1\"", "content-type": "text/plain"}',
  'names of headers are in lower case');
select is(pg_temp.answered('s', null), 'nothing', 'of another key nothing is kept');
select is(tusk_cache.api_store('r', 304, '{"etag": "\"v1\"", "Date": "today", "Content-Length": 0}', null, '1 hour'), true,
  'what was told to be still right');
select is(pg_temp.answered('r', '1 minute'), '200 hello fresh', 'counts as new');
select is((select headers from tusk_cache.api_fetch('r', null)),
  '{"etag": "\"v1\"", "date": "today", "content-type": "text/plain"}', 'with the headers that came');
select is(tusk_cache.ttl('r'), 3600::bigint, 'and the time it was given');
select is(tusk_cache.api_store('s', 304, '{}', null), false, 'nothing is no longer right');
select is(pg_temp.error_of('tusk_cache.api_store(' || call || ')'), expected, 'api_store(' || call || ')')
from (values ($$'r', 99, '{}', ''$$, '22023'), ($$'r', 600, '{}', ''$$, '22023'), ($$'r', null, '{}', ''$$, '22023'),
  ($$'r', 200, '[]', ''$$, '22023'), ($$'r', 200, '"x"', ''$$, '22023'), ($$'', 200, '{}', ''$$, '22023'), ($$null, 304, '{}', ''$$, '22023'),
  ($$'r', 200, '{}', '', '0'$$, '22023'), ($$'r', 304, '{}', '', '-1 s'$$, '22023'), ($$'r', 200, null, null, null$$, 'fine')) as v (call, expected);
select is(pg_temp.answered('r', '1 hour', '*'), '200  fresh', 'no headers and no body: no tag either');
select is(tusk_cache.ttl('r'), -1::bigint, 'ttl null: for ever');
select tusk_cache.api_store('e', 404, '{"etag": "\"v1\""}', 'none');
select is(pg_temp.answered('e', '1 hour', '"v1"'), '404 none fresh', 'what was not found is not 304');
select is(pg_temp.kept_body(body), body, 'body: ' || what)
from (values ('no text', '\xff00fe'::bytea), ('a zero byte', '\x6100'), ('beyond ASCII', convert_to('čaj', 'UTF8')),
    ('long, no text', decode(repeat('ff00', 5000), 'hex')), ('nothing', ''), ('quotes', convert_to('{"a": "\u0000"}', 'UTF8'))) as v (what, body);
select is(tusk_cache.get('r') ->> 'status', '200', 'a response is a value like others');
select pg_temp.given_response('0');
update tusk_cache.cache set expires_at = clock_timestamp() - interval '1 s';
select is(pg_temp.answered('r', null), 'nothing', 'until it ends');
select is(tusk_cache.api_store('r', 304, '{}', null), false, 'and what has ended is not renewed');
select is(pg_temp.answered_to(value::jsonb), 'nothing', 'no response: ' || value)
from (values ('1'), ('null'), ('[200]'), ('"200"'), ('{"status": 200}'), ('{"status": 200, "headers": [], "body": ""}'),
  ('{"status": 1e99, "headers": {}, "body": ""}'), ('{"status": 200, "headers": {}, "body": 1}')) as v (value);

-- Keys that are found by their hash

create function pg_temp.plan(query text) returns setof text language plpgsql as $$
begin
  return query execute 'explain ' || query;
end
$$;

delete from tusk_cache.cache;
insert into tusk_cache.cache (key, value)
select k, '1' from unnest(array[repeat('x', 86), repeat('\', 90), repeat('é/', 300), repeat('k', 1024), 'short', repeat('x', 85)]) k;
select is(sha256(decode(replace(key, '\', '\\'), 'escape')), sha256(convert_to(key, 'UTF8')), 'the hash of ' || left(key, 5))
from tusk_cache.cache;
insert into tusk_cache.cache (key, value) select 'k' || i, '1' from generate_series(1, 10000) i;
analyze tusk_cache.cache;
select alike(
  (select string_agg(line, ' ') from pg_temp.plan($$select c.key from tusk_cache.cache c
    where sha256(decode(replace(c.key, '\', '\\'), 'escape')) = sha256('x') and octet_length(c.key) > 85
      and tusk_cache.live(c.expires_at)$$) line),
  '%cache_long_keys%', 'which an index finds');

-- Sessions

delete from tusk_cache.sessions;
create temporary table tokens as
  select name, tusk_cache.session_create(user_id, data) as sid
  from (values ('ann', 'ann', '{"n": 1}'::jsonb), ('ann again', 'ann', '{}'), ('nobody', null, '{}'), ('over', 'ann', '{}'))
    as v (name, user_id, data);
create function pg_temp.sid(wanted text) returns text language sql as $$ select sid from tokens where name = wanted $$;
update tusk_cache.sessions set expires_at = now() - interval '1 s' where sid_hash = sha256(convert_to(pg_temp.sid('over'), 'UTF8'));
select matches(sid, '^[0-9a-f]{64}$', 'a token has 256 bits: ' || name) from tokens;
select is(count(distinct sid), 4::bigint, 'tokens differ') from tokens;
select is(count(*), 0::bigint, 'no token is stored') from tusk_cache.sessions s, tokens t
where s::text like '%' || t.sid || '%' or encode(s.sid_hash, 'hex') = t.sid;
select is(count(*), 4::bigint, 'their hashes are') from tusk_cache.sessions s join tokens t on s.sid_hash = sha256(t.sid::bytea);
select is(tusk_cache.session_get(pg_temp.sid(name)), data::jsonb, 'session_get ' || name)
from (values ('ann', '{"n": 1}'), ('nobody', '{}'), ('over', null)) as v (name, data);
select is(tusk_cache.session_get(sid), null, 'no session') from (values ('x'), (''), (null)) v (sid);
select is(tusk_cache.session_user_id(pg_temp.sid(name)), user_id, 'session_user_id ' || name)
from (values ('ann', 'ann'), ('nobody', null), ('over', null)) as v (name, user_id);
select is(tusk_cache.session_set(pg_temp.sid('ann'), '{"n": 2}'), true, 'session_set');
select is(tusk_cache.session_get(pg_temp.sid('ann')), '{"n": 2}', 'replaces the data');
select is(tusk_cache.session_set(pg_temp.sid('over'), '{}'), false, 'but not of what is over');
select is(pg_temp.error_of(call), '22023', call)
from (values ($$tusk_cache.session_create('u', null)$$), ($$tusk_cache.session_create('u', '{}', null)$$),
  ($$tusk_cache.session_create('u', '{}', '0')$$), ($$tusk_cache.session_set('x', null)$$),
  ($$tusk_cache.session_touch('x', '-1 s')$$), ($$tusk_cache.session_touch('x', null)$$)) as v (call);

-- A touch writes where the end would move by more than a minute, or a tenth.
create function pg_temp.touch(seen interval, left_over interval, ttl interval) returns text language plpgsql as $$
declare
  hash constant bytea := sha256(pg_temp.sid('ann')::bytea);
  before tid;
  answer boolean;
begin
  update tusk_cache.sessions set last_seen = clock_timestamp() - seen, expires_at = clock_timestamp() + left_over
  where sid_hash = hash returning ctid into before;
  answer := tusk_cache.session_touch(pg_temp.sid('ann'), ttl);
  return answer || case when exists (select from tusk_cache.sessions where sid_hash = hash and ctid = before)
    then ' untouched' else ' moved' end;
end
$$;
select is(pg_temp.touch(seen::interval, left_over::interval, ttl::interval), expected,
  format('touch after %s with %s left for %s', seen, left_over, ttl))
from (values
  ('0', '1 day', '1 day', 'true untouched'),
  ('30 s', '23:59:30', '1 day', 'true untouched'),
  ('2 min', '23:58:00', '1 day', 'true moved'),
  ('0', '1 day', '30 days', 'true moved'),
  ('0', '30 days', '1 day', 'true moved'),
  ('40 s', '4 min 20 s', '5 min', 'true moved'),
  ('1 day', '-1 s', '1 day', 'false untouched')
) as v (seen, left_over, ttl, expected);

select tusk_cache.session_set(pg_temp.sid('ann'), '{}'), tusk_cache.session_create('ann'), tusk_cache.session_create('bob');
select is(tusk_cache.session_destroy(pg_temp.sid('nobody')), true, 'session_destroy');
select is(tusk_cache.session_get(pg_temp.sid('nobody')), null, 'ends it');
select is(tusk_cache.session_destroy(pg_temp.sid('nobody')), false, 'once');
select is(tusk_cache.session_destroy(pg_temp.sid('over')), false, 'what is over does not end again');
select is(tusk_cache.session_destroy_user('ann'), 2::bigint, 'session_destroy_user counts those that go on');
select is(array(select user_id from tusk_cache.sessions), array['bob'], 'and leaves those of others');
select is(tusk_cache.session_destroy_user(null), 0::bigint, 'nobody has no sessions');

-- GCRA: in what state of the row, which request is let through

create function pg_temp.throttled(ahead interval, burst int, count int, period interval, quantity int)
returns text language plpgsql as $$
declare
  t record;
begin
  delete from tusk_cache.rate_limits;
  insert into tusk_cache.rate_limits (bucket, key, algorithm, arrival, expires_at)
  select 'b', 'k', 'gcra', clock_timestamp() + ahead, clock_timestamp() + ahead where ahead is not null;
  select * into t from tusk_cache.throttle('b', 'k', burst, count, period, quantity);
  return concat_ws(' ', t.allowed::text, t."limit", t.remaining, 
    case when t.retry_after = interval '-1 second' then 'never' else round(extract(epoch from t.retry_after) / 60)::text end,
    round(extract(epoch from t.reset_after) / 60));
end
$$;
select is(pg_temp.throttled(ahead::interval, burst, count, period::interval, quantity), expected,
  format('throttle %s ahead: burst %s, %s per %s, quantity %s', ahead, burst, count, period, quantity))
from (values
  -- allowed, limit, remaining, minutes of retry_after and reset_after
  (null, 15, 30, '1 h', 1, 'true 16 15 never 2'),
  (null, 15, 30, '1 h', 16, 'true 16 0 never 32'),
  (null, 15, 30, '1 h', 17, 'false 16 16 never 0'),
  (null, 15, 30, '1 h', 0, 'true 16 16 never 0'),
  (null, 0, 1, '1 h', 1, 'true 1 0 never 60'),
  ('-1 day', 15, 30, '1 h', 1, 'true 16 15 never 2'),
  ('100 min', 4, 1, '1 h', 1, 'true 5 2 never 160'),
  ('30 h', 30, 1, '1 h', 1, 'true 31 0 never 1860'),
  ('31 h', 30, 1, '1 h', 1, 'false 31 0 60 1860'),
  ('31 h', 30, 1, '1 h', 3, 'false 31 0 180 1860'),
  ('31 h', 30, 1, '1 h', 0, 'true 31 0 never 1860'),
  ('31 h', 30, 1, '1 h', 32, 'false 31 0 never 1860'),
  ('31 h', 2, 1, '1 h', 1, 'false 3 0 1740 1860')
) as v (ahead, burst, count, period, quantity, expected);

delete from tusk_cache.rate_limits;
select is(array_agg(t.allowed::int || ':' || t.remaining), array['1:2', '1:1', '1:0', '0:0', '0:0'], 'a burst, then no more')
from generate_series(1, 5) i, lateral tusk_cache.throttle('b', case when i > 0 then 'k' end, 2, 1, '1 day') t;
select is((select p.used || ' ' || p.remaining from tusk_cache.rate_peek('b', 'k') p), '3 0', 'rate_peek of it');
select is((select t.allowed from tusk_cache.throttle('b', 'l', 2, 1, '1 day') t), true, 'another key has its own');
select is((select t.allowed from tusk_cache.throttle('c', 'k', 2, 1, '1 day') t), true, 'and another bucket');
select is(tusk_cache.rate_reset('b', 'k'), true, 'rate_reset');
select is(tusk_cache.rate_reset('b', 'k'), false, 'once');
select is((select t.remaining from tusk_cache.throttle('b', 'k', 2, 1, '1 day') t), 2, 'starts afresh');
select is((select h.allowed || ' ' || h.remaining from tusk_cache.rate_hit('b', 'k', 2, '1 day') h), 'true 1',
  'so does another algorithm');

-- Windows: hits in this one and the one before. This one is long: from 1970 to 7445.

create function pg_temp.hit(algorithm text, this int, before int, max_hits int, hits int) returns text language plpgsql as $$
declare
  span constant interval := interval '2000000 days';
  h record;
begin
  delete from tusk_cache.rate_limits;
  insert into tusk_cache.rate_limits (bucket, key, algorithm, max_hits, period, window_start, hits, previous)
  values ('b', 'k', algorithm, max_hits, span, '1970-01-01 00:00:00+00', this, before);
  select * into h from tusk_cache.rate_hit('b', 'k', max_hits, span, hits, algorithm);
  return concat_ws(' ', h.allowed::text, h.remaining, case when h.retry_after = interval '-1 second' then 'never' else 'later' end,
    (select r.hits from tusk_cache.rate_limits r));
end
$$;
-- Of 10 hits in the window before, between 9 and 10 still count, up to the year 2500.
select is(pg_temp.hit(algorithm, this, before, max_hits, hits), expected,
  format('%s: %s hits, %s before, %s more of %s', algorithm, this, before, hits, max_hits))
from (values
  -- allowed, remaining, wait, hits now
  ('fixed', 0, 0, 10, 1, 'true 9 never 1'),
  ('fixed', 9, 0, 10, 1, 'true 0 never 10'),
  ('fixed', 10, 0, 10, 1, 'false 0 later 10'),
  ('fixed', 8, 0, 10, 3, 'false 2 later 8'),
  ('fixed', 0, 0, 10, 11, 'false 10 never 0'),
  ('fixed', 4, 0, 10, 0, 'true 6 never 4'),
  ('sliding', 0, 0, 10, 1, 'true 9 never 1'),
  ('sliding', 10, 0, 10, 1, 'false 0 later 10'),
  ('sliding', 0, 10, 20, 1, 'true 9 never 1'),
  ('sliding', 0, 10, 11, 1, 'true 0 never 1'),
  ('sliding', 1, 10, 12, 1, 'true 0 never 2'),
  ('sliding', 1, 10, 11, 1, 'false 0 later 1'),
  ('sliding', 8, 10, 9, 2, 'false 0 later 8'),
  ('sliding', 0, 10, 10, 11, 'false 0 never 0')
) as v (algorithm, this, before, max_hits, hits, expected);

-- The windows follow each other, 20,000 days each; 10 hits were so many windows ago.
create function pg_temp.after_windows(algorithm text, ago int) returns text language plpgsql as $$
declare
  days constant int := extract(epoch from clock_timestamp()) / 86400;
  h record;
begin
  delete from tusk_cache.rate_limits;
  insert into tusk_cache.rate_limits (bucket, key, algorithm, max_hits, period, window_start, hits)
  values ('b', 'k', algorithm, 11, interval '20000 days',
    timestamptz '1970-01-01 00:00+00' + (days / 20000 - ago) * interval '20000 days', 10);
  select * into h from tusk_cache.rate_hit('b', 'k', 11, interval '20000 days', 1, algorithm);
  return concat_ws(' ', h.allowed::text, (select r.hits || ' ' || r.previous from tusk_cache.rate_limits r));
end
$$;
select is(pg_temp.after_windows(algorithm, ago), expected, format('%s: hits of %s windows ago', algorithm, ago))
from (values
  -- allowed, hits, hits of the window before
  ('fixed', 0, 'true 11 0'), ('fixed', 1, 'true 1 0'),
  ('sliding', 0, 'true 11 0'), ('sliding', 1, 'true 1 10'), ('sliding', 2, 'true 1 0')
) as v (algorithm, ago, expected);

select is((select concat_ws(' ', p.used, p.remaining) from tusk_cache.rate_peek('b', 'unknown') p), '0', 'rate_peek of nothing');
insert into tusk_cache.rate_buckets values ('named', 'gcra', 15, 30, '1 h'), ('window', 'fixed', 0, 3, '2000000 days');
select is((select p.used || ' ' || p.remaining from tusk_cache.rate_peek('named', 'k') p), '0 16', 'rate_peek of a named one');
select is((select t::text from tusk_cache.rate_take('named', 'k') t), '(t,16,15,-00:00:01,00:02:00)', 'rate_take by GCRA');
select is((select concat_ws(' ', t.allowed::text, t."limit", t.remaining) from tusk_cache.rate_take('window', 'k', 2) t), 'true 3 1',
  'rate_take by window');
select is((select concat_ws(' ', t.allowed::text, t."limit", t.remaining) from tusk_cache.rate_take('window', 'k', 2) t), 'false 3 1',
  'rate_take refuses');
select is((select p.used || ' ' || p.remaining from tusk_cache.rate_peek('window', 'k') p), '2 1', 'rate_peek sees what was taken');

select is(pg_temp.error_of('tusk_cache.' || call), '22023', call)
from (values
  ($$throttle('b', 'k', -1, 1, '1 s')$$), ($$throttle('b', 'k', 1, 0, '1 s')$$), ($$throttle('b', 'k', 1, 1, '0')$$),
  ($$throttle('b', 'k', 1, 1, '-1 s')$$), ($$throttle('b', 'k', 1, 1, '1 s', -1)$$), ($$throttle(null, 'k', 1, 1, '1 s')$$),
  ($$throttle('b', null, 1, 1, '1 s')$$), ($$throttle('b', 'k', 1, 1000001, '1 s')$$), ($$throttle('b', 'k', null, 1, '1 s')$$),
  ($$rate_hit('b', 'k', 0, '1 s')$$), ($$rate_hit('b', 'k', 1, '0')$$), ($$rate_hit('b', 'k', 1, null)$$),
  ($$rate_hit('b', 'k', 1, '1 s', -1)$$), ($$rate_hit('b', 'k', 1, '1 s', 1, 'gcra')$$), ($$rate_hit('b', 'k', 1, '1 s', 1, null)$$),
  ($$rate_hit(null, 'k', 1, '1 s')$$), ($$rate_take('unknown', 'k')$$)
) as v (call);

-- Flags

insert into tusk_cache.feature_flags (name, enabled, percentage, actors) values
  ('off', false, 100, '{ann}'), ('on', true, 100, '{}'), ('few', true, 0, '{ann,bob}'), ('half', true, 50, '{}');
select is(tusk_cache.flag_enabled(flag, actor), expected, format('flag %s for %s', flag, coalesce(actor, 'all')))
from (values
  ('unknown', null, false), ('unknown', 'ann', false), ('off', null, false), ('off', 'ann', false),
  ('on', null, true), ('on', 'ann', true), ('few', null, false), ('few', 'ann', true), ('few', 'cid', false),
  ('half', null, false), (null, 'ann', false)
) as v (flag, actor, expected);
select is(tusk_cache.flag_enabled('unknown', 'ann', true), true, 'an unknown flag is as default says');
select is(tusk_cache.flag_enabled('off', 'ann', true), false, 'a known one is not');

select is(tusk_cache.flag_place(flag, actor), place, format('%s stands where it always stood in %s', actor, flag))
from (values ('half', 'ann', 73283), ('half', 'bob', 80230), ('other', 'ann', 50764), ('', '', 4604)) as v (flag, actor, place);
select ok(abs(count(*) filter (where tusk_cache.flag_enabled('half', i::text)) - 5000) < 300, 'half is about a half')
from generate_series(1, 10000) i;

create temporary table rollout (percentage numeric, actor text);
do $$
declare
  share numeric;
begin
  foreach share in array array[0, 0.001, 1, 10, 33.333, 50, 99.999, 100] loop
    perform tusk_cache.flag_set('half', percentage => share);
    insert into rollout select share, i::text from generate_series(1, 2000) i where tusk_cache.flag_enabled('half', i::text);
  end loop;
end
$$;
select is(count(*), 0::bigint, 'who is in stays in when the percentage is raised')
from rollout r, (select distinct percentage from rollout) higher
where higher.percentage > r.percentage
  and not exists (select from rollout o where o.percentage = higher.percentage and o.actor = r.actor);
select is(count(*) filter (where percentage = 0), 0::bigint, '0 % is nobody') from rollout;
select is(count(*) filter (where percentage = 100), 2000::bigint, '100 % is everybody') from rollout;

select tusk_cache.flag_set('new');
select is((select f.enabled || ' ' || f.percentage || ' ' || f.actors::text from tusk_cache.feature_flags f where name = 'new'),
  'false 100.000 {}', 'a new flag is off, and for all once it is on');
select tusk_cache.flag_set('new', enabled => true), tusk_cache.flag_set('new', percentage => 12.5), tusk_cache.flag_set('new', actors => '{ann}');
select is((select f.enabled || ' ' || f.percentage || ' ' || f.actors::text from tusk_cache.feature_flags f where name = 'new'),
  'true 12.500 {ann}', 'what is not said stays');
select is(tusk_cache.flag_delete('new'), true, 'flag_delete');
select is(tusk_cache.flag_delete('new'), false, 'once');
select is(pg_temp.error_of('tusk_cache.flag_set(' || call || ')'), '22023', 'flag_set(' || call || ')')
from (values ($$''$$), ('null'), ($$'f', percentage => 101$$), ($$'f', percentage => -0.1$$)) as v (call);

-- Where things are kept

select is(relname || ' ' || relpersistence::text, expected, 'persistence: ' || expected)
from (values ('cache u'), ('rate_limits u'), ('counters u'), ('sessions p'), ('feature_flags p'), ('rate_buckets p'),
  ('settings p')) as v (expected)
left join pg_class on relnamespace = 'tusk_cache'::regnamespace and relname = split_part(expected, ' ', 1);

-- Everything is described, and no function looks names up by the caller's search_path

select is(array_agg(p.oid::regprocedure::text), null, 'functions without a comment')
from pg_proc p where pronamespace = 'tusk_cache'::regnamespace and obj_description(oid, 'pg_proc') is null;
select is(array_agg(attrelid::regclass || '.' || attname), null, 'columns without a comment')
from pg_attribute join pg_class c on c.oid = attrelid
where relnamespace = 'tusk_cache'::regnamespace and relkind = 'r' and attnum > 0 and col_description(attrelid, attnum) is null;
select is(array_agg(relname), null, 'tables without a comment')
from pg_class where relnamespace = 'tusk_cache'::regnamespace and relkind = 'r' and obj_description(oid, 'pg_class') is null;
select is(array_agg(proname), array['live'::name], 'functions without a search_path of their own: the one that is inlined')
from pg_proc where pronamespace = 'tusk_cache'::regnamespace and proconfig is null;
select is(array_agg(proname), null, 'functions that run with rights of their owner')
from pg_proc where pronamespace = 'tusk_cache'::regnamespace and prosecdef;

-- Who may do what

select is(array_agg(proname), null, 'functions that everybody may call')
from pg_proc where pronamespace = 'tusk_cache'::regnamespace
  and exists (select from aclexplode(proacl) where grantee = 0);
create function pg_temp.as_role(who text, call text) returns text language plpgsql as $$
declare
  answer text;
begin
  perform pg_temp.given('live');
  execute format('set local role %I', who);
  answer := pg_temp.error_of(call);
  reset role;
  return case answer when 'fine' then 'may' when '42501' then 'may not' else answer end;
end
$$;
select tusk_cache.set('k', '1'), tusk_cache.flag_set('f', true);
select is(pg_temp.as_role('tusk_' || who, call), expected, who || ' ' || expected || ': ' || call)
from (values
  ($$tusk_cache.get('k')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.get_bytes('k')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.scan(match => '*')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.mget('k'), tusk_cache.exists('k'), tusk_cache.ttl('k'), tusk_cache.pttl('k')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.set('k', '1'), tusk_cache.incr('k'), tusk_cache.del('k'), tusk_cache.mset('{}')$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.set_bytes('k', 'x'), tusk_cache.append('k', 'x')$$, 'may not', 'may', 'may not', 'may'),
  ($$status from tusk_cache.api_fetch('k', '1 hour', '*')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.api_store('k', 200, '{}', 'x'), tusk_cache.api_store('k', 304, '{}', null)$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.rename('k', 'l'), tusk_cache.expire('l', '1 s'), tusk_cache.flush()$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.sweep()$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.stats()$$, 'may not', 'may', 'may', 'may'),
  ($$tusk_cache.session_get(tusk_cache.session_create('u'))$$, 'may not', 'may', 'may not', 'may'),
  ($$1 from tusk_cache.sessions$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.throttle('b', 'k', 1, 1, '1 s')$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.rate_take('named', 'k')$$, 'may not', 'may', 'may not', 'may'),
  ($$tusk_cache.rate_peek('b', 'k'), tusk_cache.rate_peek('named', 'k'), tusk_cache.rate_peek('window', 'k')$$,
    'may', 'may', 'may not', 'may'),
  ($$tusk_cache.flag_enabled('f', 'ann')$$, 'may', 'may', 'may not', 'may'),
  ($$tusk_cache.flag_set('f', true)$$, 'may not', 'may not', 'may not', 'may')
) as v (call, reader, writer, monitor, admin),
  lateral (values ('reader', reader), ('writer', writer), ('monitor', monitor), ('admin', admin)) as r (who, expected);

select * from finish();
rollback;
