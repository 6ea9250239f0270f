-- What is told of each change. run.sh compares the notifications with cache_feed.expected.
delete from tusk_cache.cache;
listen tusk_cache;
\echo == set
select tusk_cache.set('a', '1');
\echo == set again
select tusk_cache.set('a', '2');
\echo == set nx that does nothing
select tusk_cache.set('a', '2', nx => true);
\echo == a key that JSON escapes
select tusk_cache.set(E'b"\n', '1');
\echo == get, scan, ttl
select tusk_cache.get('a'), tusk_cache.ttl('a'), tusk_cache.exists('a');
\echo == expire
select tusk_cache.expire('a', '1 day');
\echo == incr twice in a transaction: the same is told once
begin;
select tusk_cache.incr('n');
select tusk_cache.incr('n');
commit;
\echo == rolled back
begin;
select tusk_cache.set('never', '1');
rollback;
\echo == mset of new keys
select tusk_cache.mset('{"c": 1, "d": 2}');
\echo == mset of a new and an old key
select tusk_cache.mset('{"c": 2, "g": 2}');
\echo == rename
select tusk_cache.rename('c', 'e');
\echo == a key changed by hand
update tusk_cache.cache set key = 'f' where key = 'e';
\echo == del
select tusk_cache.del('a', 'd', 'g', 'missing');
\echo == del of nothing
select tusk_cache.del('missing');
\echo == append
select tusk_cache.append('f', 'x');
\echo == many keys
insert into tusk_cache.cache (key, value) select 'key' || i, '1' from generate_series(1, 3000) i;
\echo == sweep of nothing
select tusk_cache.sweep();
\echo == sweep of one
update tusk_cache.cache set expires_at = now() - interval '1 s' where key = 'n';
select tusk_cache.sweep();
\echo == flush of many
select tusk_cache.flush();
\echo == switched off
update tusk_cache.settings set tell_changes = false;
select tusk_cache.set('a', '1');
truncate tusk_cache.cache;
update tusk_cache.settings set tell_changes = true;
\echo == truncate
truncate tusk_cache.cache;
