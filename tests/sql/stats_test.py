#!/usr/bin/env python3
"""Runs the texts of sql/stats against situations made on a scratch cluster and its standby.

Each text is used as the driver uses it, as a role which has nothing but pg_monitor, in a read-only
session with a short lock_timeout, and as the body of a view. Set PGBIN to choose the PostgreSQL.
"""
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NAMES = sorted(os.path.basename(path)[:-4] for path in glob.glob(f'{ROOT}/sql/stats/*.sql'))


def pgbin():
    found = sorted(glob.glob('/usr/lib/postgresql/*/bin'), key=lambda p: int(re.findall(r'\d+', p)[0]))
    return os.environ.get('PGBIN') or (found[-1] if found else '')


BIN = pgbin()
PSQL = f'{BIN}/psql' if os.path.exists(f'{BIN}/psql') else 'psql'


def text(folder, name):
    with open(f'{ROOT}/sql/{folder}/{name}.sql', encoding='utf-8') as file:
        return file.read()


def as_postgres(*command):
    """initdb and the server refuse to run as root."""
    return ['runuser', '-u', 'postgres', '--', *command] if os.getuid() == 0 else list(command)


def run(*command):
    done = subprocess.run(as_postgres(*command), capture_output=True, text=True, check=False, cwd='/')
    if done.returncode != 0:
        raise RuntimeError(f'{command}: {done.stdout}{done.stderr}')
    return done.stdout


class Server:
    def __init__(self, folder, port):
        self.folder, self.port, self.running = folder, port, False

    def configure(self, **settings):
        with open(f'{self.folder}/postgresql.conf', 'a', encoding='utf-8') as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self):
        run(f'{BIN}/pg_ctl', '-D', self.folder, '-w', '-t', '120', '-l', f'{self.folder}.log', 'start',
            '-o', f"-p {self.port} -k {os.path.dirname(self.folder)} -c listen_addresses=''")
        self.running = True

    def stop(self, mode='immediate'):
        if self.running:
            run(f'{BIN}/pg_ctl', '-D', self.folder, '-w', '-m', mode, 'stop')
            self.running = False

    def psql(self, user, database, app):
        return [PSQL, '-XqAt', '-v', 'ON_ERROR_STOP=1', '-p', str(self.port), '-d',
                f"host={os.path.dirname(self.folder)} user={user} dbname={database} application_name={app}"]

    def sql(self, *statements, user='postgres', database='play', app='tusk-stats', options=''):
        command = self.psql(user, database, app)
        for statement in statements:
            command += ['-c', statement]
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, 'PGOPTIONS': options})
        if done.returncode != 0:
            raise RuntimeError(f'{statements}: {done.stderr}')
        return done.stdout.strip()

    def session(self, *statements, user='owner', database='play'):
        return Session(self.psql(user, database, 'app'), statements)


class Session:
    """A connection kept open; statements are sent and answered for in their order."""

    def __init__(self, command, statements):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        for statement in statements:
            self.send(statement)
        self.answer()

    def send(self, statement):
        self.process.stdin.write(statement + ';\n')
        self.process.stdin.flush()

    def answer(self):
        self.send("select 'done'")
        while (line := self.process.stdout.readline()) and line != 'done\n':
            pass
        assert line, 'the session has ended'

    def close(self):
        """Also a session that waits for a lock which another one, closed later, holds."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Stats(unittest.TestCase):
    """The situations. Autovacuum is off, so that dead rows stay until the test removes them."""

    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.mkdtemp(prefix='tusk-stats-', dir='/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        if os.getuid() == 0:
            os.chown(cls.top, pwd.getpwnam('postgres').pw_uid, -1)
        os.chmod(cls.top, 0o755)
        cls.primary = Server(f'{cls.top}/primary', 5611)
        cls.standby = Server(f'{cls.top}/standby', 5612)
        run(f'{BIN}/initdb', '-D', cls.primary.folder, '-U', 'postgres', '-A', 'trust', '-N')
        cls.primary.configure(autovacuum='off', fsync='off', shared_buffers='1MB', max_connections='40',
                              wal_level='replica', archive_mode='on', archive_command='true')
        cls.addClassCleanup(cls.primary.stop)
        cls.primary.start()
        cls.has_statements = cls.primary.sql(
            "select 1 from pg_available_extensions where name = 'pg_stat_statements'", database='postgres') == '1'
        if cls.has_statements:
            cls.primary.configure(shared_preload_libraries='pg_stat_statements')
            cls.primary.stop('fast')
            cls.primary.start()
        cls.primary.sql('create role watcher login in role pg_monitor', 'create role owner login', database='postgres')

    def setUp(self):
        self.primary.sql('create database play owner owner', database='postgres')
        self.addCleanup(self.primary.sql, 'drop database play with (force)', database='postgres')

    def owner(self, *statements):
        return self.primary.sql(*statements, user='owner', app='app')

    def open_session(self, *statements):
        session = self.primary.session(*statements)
        self.addCleanup(session.close)
        return session

    # The texts, as the driver puts them together.

    def ask(self, name, server=None, thresholds=None, aged=False, statements='statements_none',
            statements_text=None, components=None):
        """Rows of the text, with other thresholds by name, or as if the statistics were older than a week."""
        age = (lambda t: t.replace("interval '7 days'", "interval '0'").replace('days >= 7', 'days >= 0')) \
            if aged else (lambda t: t)
        changed = ''.join(
            f" union all values ('{key}', {good}::float8, {warn}::float8, {crit}::float8)"
            for key, (good, warn, crit) in (thresholds or {}).items())
        kept = ', '.join(f"'{key}'" for key in (thresholds or {})) or "''"
        query = f'''with thresholds as (
          select * from ({text('stats_sources', 'thresholds')}) d where name not in ({kept}){changed}),
          statements as ({statements_text or text('stats_sources', statements)}),
          health_components as ({components or age(text('stats', 'health_components'))}),
          tree_usage as ({text('stats_sources', 'usage_none')}),
          cache_usage as ({text('stats_sources', 'usage_none')})
          select coalesce(json_agg(to_json(q)), '[]') from ({age(text('stats', name))}) q'''
        return json.loads((server or self.primary).sql(
            query, user='watcher',
            options='-c default_transaction_read_only=on -c lock_timeout=100ms -c search_path=pg_catalog'
            + (',public' if statements == 'statements' else '')))

    def component(self, name, **how):
        return next(row for row in self.ask('health_components', **how) if row['component'] == name)

    def health(self, **how):
        return self.ask('health', **how)[0]

    def until(self, look, wanted, patience=90):
        """Statistics arrive when the server finds time; what is awaited must come, and its time does not matter."""
        give_up = time.monotonic() + patience
        while not wanted(seen := look()):
            self.assertLess(time.monotonic(), give_up, f'still {seen}')
            time.sleep(0.1)
        return seen

    # The situations.

    def test_empty_database(self):
        for name in NAMES:
            with self.subTest(name):
                self.ask(name)
        scores = {row['component']: row['score'] for row in self.ask('health_components')}
        self.assertEqual(list(scores), ['cache_hit', 'connections', 'dead_tuples', 'replication_lag', 'oldest_xact',
                                        'xid_age', 'blocked', 'idle_ratio', 'unused_index'])
        for name in 'cache_hit', 'replication_lag', 'idle_ratio', 'unused_index':
            self.assertIsNone(scores[name], name)
        health = self.health()
        self.assertEqual((health['score'], health['status'], health['cap'], health['reason']), (100, 'ok', 100, None))
        self.assertIsNone(next(r for r in self.ask('cache_hit') if r['kind'] == 'tables')['hit_pct'])

    def test_dead_rows(self):
        self.owner('create table worn as select n from generate_series(1, 10000) n', 'delete from worn where n <= 5000')
        dead = self.until(lambda: self.component('dead_tuples'), lambda c: c['score'] == 0)
        self.assertEqual(dead['value'], 100)
        health = self.health()
        self.assertEqual((health['score'], health['status'], health['cap']), (49, 'critical', 49))
        self.assertIn('dead_tuples', health['reason'])
        self.assertEqual(self.ask('tables')[0]['advice'], 'VACUUM ANALYZE public.worn;')
        self.assertEqual(self.ask('vacuum')[0]['dead_rows'], 5000)
        past = self.health(thresholds={'dead_tuples': (5, 20, 180)})
        self.assertEqual((past['score'], past['status'], past['cap']), (81, 'warning', 89))
        self.owner('vacuum analyze worn')
        self.until(lambda: self.component('dead_tuples'), lambda c: (c['value'], c['score']) == (0, 1))
        self.assertEqual(self.health()['cap'], 100)
        self.assertIsNone(self.ask('tables')[0]['advice'])
        self.assertIsNotNone(self.ask('vacuum')[0]['last_vacuum'])

    def test_temporary_tables(self):
        brief = self.open_session('create temp table brief as select n from generate_series(1, 5000) n',
                                  'delete from brief')

        def dead_rows():
            brief.answer()  # Before 15 a session reports only at the end of a transaction.
            return self.primary.sql("select n_dead_tup from pg_stat_user_tables where relname = 'brief'")
        self.until(dead_rows, lambda dead: dead == '5000')
        self.assertEqual(self.component('dead_tuples')['value'], 0)
        self.assertEqual(self.ask('tables') + self.ask('vacuum'), [])

    def test_unused_index(self):
        self.owner('create table goods as select n as id, n % 7 as kind, n as rank from generate_series(1, 100000) n',
                   'create unique index goods_id on goods (id)', 'create index "Goods kind" on goods (kind, id)',
                   'analyze goods')
        self.assertIsNone(self.component('unused_index')['score'])
        self.assertIsNone(self.ask('indexes')[0]['unused'])
        found = self.until(lambda: self.component('unused_index', aged=True), lambda c: c['score'] == 0)
        self.assertEqual(self.health(aged=True)['cap'], 100)
        self.assertLess(self.health(aged=True)['score'], 100)
        self.assertTrue(30 < found['value'] < 70, found)
        first, second = self.ask('indexes', aged=True)
        self.assertEqual((first['index_name'], first['unused'], first['advice']),
                         ('Goods kind', True, 'DROP INDEX CONCURRENTLY public."Goods kind";'))
        self.assertEqual(first['undo'], 'CREATE INDEX "Goods kind" ON public.goods USING btree (kind, id);')
        self.assertEqual((second['kind'], second['unused']), ('unique', False))
        self.owner('set enable_seqscan = off; select count(*) from goods where kind = 3')
        self.until(lambda: self.component('unused_index', aged=True), lambda c: (c['value'], c['score']) == (0, 1))

    def test_idle_connections(self):
        sessions = [self.open_session() for _ in range(20)]
        idle = self.until(lambda: self.component('idle_ratio'), lambda c: c['score'] == 0)
        self.assertEqual(idle['value'], 100)
        self.assertEqual(self.health()['cap'], 100)
        self.assertIn('idle', self.ask('connections')[-1]['advice'])
        self.assertTrue(0.5 < self.component('connections')['score'] < 1)
        sessions += [self.open_session() for _ in range(15)]
        full = self.until(lambda: self.component('connections'), lambda c: c['score'] == 0)
        self.assertEqual(full['value'], 97.3)
        self.assertEqual(self.health()['status'], 'critical')
        total = self.ask('connections')[-1]
        self.assertEqual((total['state'], total['connections'], total['max_usable']), ('total', 36, 37))
        for session in sessions:
            session.close()
        self.until(lambda: self.component('connections'), lambda c: c['score'] == 1)
        self.until(lambda: self.component('idle_ratio'), lambda c: c['value'] is None)

    def test_blocked_backend(self):
        self.owner('create table seats (id int primary key, taken bool)', 'insert into seats values (1, false)')
        holder = self.open_session('begin', 'update seats set taken = true')
        waiter = self.open_session()
        waiter.send('update seats set taken = false')
        pair = self.until(lambda: self.ask('locks'), lambda rows: rows)[0]
        self.assertEqual((pair['blocked_user'], pair['blocking_user'], pair['blocking_state']),
                         ('owner', 'owner', 'idle in transaction'))
        self.assertEqual((pair['blocked_query'], pair['blocking_query']),
                         ('update seats set taken = false;', 'select \'done\';'))
        blocked = self.until(lambda: self.component('blocked'), lambda c: c['value'] == 1)
        self.assertEqual(blocked['score'], 0.5)
        self.assertEqual(self.health()['cap'], 89)
        self.assertGreaterEqual(self.ask('locks')[0]['waiting_s'], 5)  # Rounded.
        old = self.component('oldest_xact', thresholds={'oldest_xact': (0, 1, 2)})
        self.assertEqual(old['score'], 0)
        holder.send('rollback')
        waiter.answer()
        self.until(lambda: self.component('blocked'), lambda c: (c['value'], c['score']) == (0, 1))
        self.assertEqual(self.ask('locks'), [])
        self.until(lambda: self.component('oldest_xact', thresholds={'oldest_xact': (0, 1, 2)})['value'],
                   lambda value: value == 0)

    def test_cold_cache(self):
        self.fill_cache_tables()
        for _ in range(5):
            self.owner('select sum(length(pad)) from wide')
        cold = self.until(lambda: self.component('cache_hit'), lambda c: c['value'] is not None)
        self.assertEqual(cold['score'], 0)
        self.assertEqual(self.health()['status'], 'critical')
        self.assertIsNotNone(self.ask('cache_hit')[0]['advice'])
        self.assertGreater(self.ask('missing_indexes')[0]['seq_scans'], 0)
        self.primary.sql('select pg_stat_reset()')
        self.until(lambda: self.component('cache_hit'), lambda c: c['value'] is None)
        self.owner('do $$ begin for i in 1..20000 loop perform n from narrow; end loop; end $$')
        self.until(lambda: self.component('cache_hit'), lambda c: c['score'] == 1)
        self.assertEqual(self.health()['cap'], 100)

    def fill_cache_tables(self):
        self.owner("create table wide as select n, repeat('x', 900) as pad from generate_series(1, 24000) n",
                   'create table narrow as select 1 as n')
        self.owner('vacuum analyze')
        self.primary.sql('select pg_stat_reset()')
        self.owner('analyze')
        self.until(lambda: self.ask('tables')[0]['live_rows'], lambda rows: rows == 24000)

    def test_locked_table(self):
        """The monitor must not queue behind the very lock it should report."""
        self.owner('create table shut (id int primary key, body text)',
                   'insert into shut select n, n from generate_series(1, 1000) n', 'analyze shut')
        self.open_session('begin', 'lock table shut in access exclusive mode', 'reindex table shut')
        for name in NAMES:
            with self.subTest(name):
                self.ask(name, aged=True)
        self.assertGreater(self.ask('tables')[0]['total_bytes'], 0)

    def test_statements(self):
        if not self.has_statements:
            self.skipTest('no pg_stat_statements')
        self.assertEqual(self.ask('slow_queries') + self.ask('slow_queries_total'), [])
        self.primary.sql('create extension pg_stat_statements')
        self.owner('select pg_sleep(0.3) as ' + 'x' * 60 + ',\n' + ', '.join(['1'] * 40))
        slow = self.ask('slow_queries', statements='statements')
        self.assertGreaterEqual(slow[0]['mean_ms'], 300)
        self.assertEqual(slow[0]['calls'], 1)
        self.assertTrue(slow[0]['query'].startswith('select pg_sleep($1) as xxx'))
        self.assertEqual(len(slow[0]['query']), 80)
        self.assertIn('EXPLAIN', slow[0]['advice'])
        self.owner('select 1 as quick')
        for row in self.ask('slow_queries', statements='statements'):
            self.assertEqual(row['advice'] is not None, row['mean_ms'] >= 100, row)
        self.assertFalse([row for row in slow if 'tusk-stats' in row['query'] or 'thresholds' in row['query']])
        total = self.ask('slow_queries_total', statements='statements')
        self.assertEqual(len(total[0]['query']), 100)
        self.assertLessEqual(len(total), 5)

    def test_many_short_calls(self):
        rows = "select 'select a' as query, 20000::int8 as calls, 100.0::float8 as total_ms, 0.005::float8 as mean_ms, " \
               "20000::int8 as rows union all select 'select b', 10, 300, 30, 10"
        first, second = self.ask('slow_queries_total', statements_text=rows)
        self.assertEqual((first['query'], first['pct_of_total'], first['advice']), ('select b', 75, None))
        self.assertIn('N+1', second['advice'])

    def test_alert_samples(self):
        """What is no component of the score: an index that is not valid, the cache, the archiver."""
        self.owner('create table twice (a int)', 'insert into twice values (1), (1)')
        with self.assertRaises(RuntimeError):
            self.owner('create unique index concurrently twice_a on twice (a)')
        found = self.alert_samples("select 300e6::float8 as bytes, 100e6::float8 as max_bytes")
        self.assertEqual(found['invalid_index']['severity'], 'warning')
        self.assertIn('twice_a', found['invalid_index']['message'])
        self.assertEqual(found['cache_bytes']['severity'], 'critical')
        self.assertIsNone(found['db_total_bytes']['severity'])
        self.assertTrue(found['db_total_bytes']['calm'])
        self.assertNotIn('archiver', found)
        self.owner('drop index twice_a')
        found = self.alert_samples(text('stats_sources', 'alert_cache_none'))
        self.assertNotIn('invalid_index', found)
        self.assertNotIn('cache_bytes', found)

    def alert_sources(self, cache='', tree='', edit=lambda t: t):
        """All that the texts about alerts select from; `edit`: with other limits."""
        return (f"with thresholds as ({text('stats_sources', 'thresholds')}\n), "
                f"health_components as ({text('stats', 'health_components')}\n), "
                f"alert_cache as ({cache or text('stats_sources', 'alert_cache_none')}\n), "
                f"alert_tree as ({edit(tree or text('stats_sources', 'alert_tree_none'))}\n), "
                f"alert_samples as ({edit(text('stats_sources', 'alert_samples'))}\n) ")

    def alert_samples(self, cache):
        return json.loads(self.primary.sql(
            self.alert_sources(cache) + 'select jsonb_object_agg(name, to_jsonb(s)) from alert_samples s',
            user='watcher'))

    def alert_steps(self, count, user='watcher', options='', **sources):
        """Takes samples, each from the state that the one before left; what happened at each, by name."""
        asked = (f"{self.alert_sources(**sources)} select json_build_object('state', state, 'events', events) "
                 f"from ({text('stats_sources', 'alerts_next')}\n) step")
        happened = []
        for _ in range(count):
            state = json.dumps(self.alert_state).replace("'", "''")
            told = json.loads(self.primary.sql(f"select set_config('tusk.alerts', '{state}', false)",
                                               asked, user=user, options=options).splitlines()[-1])
            self.alert_state = told['state']
            happened.append({each['name']: each['event'] for each in told['events']})
        return happened

    def expect_alert(self, name, make, clear, severity='warning', **how):
        """Raised at the second sample, not told again, cleared at the third calm one."""
        self.alert_state = {}
        self.assertNotIn(name, str(self.alert_steps(2, **how)))
        make()
        steps = self.alert_steps(3, **how)
        self.assertEqual([step.get(name) for step in steps], [None, 'raise', None])
        self.assertEqual(self.alert_state[name]['severity'], severity)
        clear()
        steps = self.alert_steps(3, **how)
        self.assertEqual([step.get(name) for step in steps], [None, None, 'clear'])

    def test_alert_invalid_index(self):
        self.owner('create table twice (a int)', 'insert into twice values (1), (1)')

        def fail():
            with self.assertRaises(RuntimeError):
                self.owner('create unique index concurrently twice_a on twice (a)')
        self.expect_alert('invalid_index', fail, lambda: self.owner('drop index twice_a'))

    def test_alert_size(self):
        """The limits are 50 and 100 GB; here they are smaller in the same proportion."""
        small = lambda t: t.replace('2.0 ^ 30', '2.0 ^ 18')
        fill = lambda mb: lambda: self.owner(
            f"create table filled as select n, repeat('x', 1000) from generate_series(1, {mb * 1000}) n")
        empty = lambda: self.owner('drop table filled')
        self.expect_alert('db_total_bytes', fill(8), empty, edit=small)
        self.expect_alert('db_total_bytes', fill(20), empty, 'critical', edit=small)

    def test_alert_archiver(self):
        self.addCleanup(self.archive_with, 'true')

        def fail():
            self.archive_with('false')
            self.primary.sql('create table bits ()', 'select pg_switch_wal()')
            self.until(self.health, lambda h: h['cap'] == 49)

        def mend():
            self.archive_with('true')
            self.until(self.health, lambda h: h['cap'] == 100)
        self.expect_alert('archiver', fail, mend, 'critical')

    def test_alert_migration(self):
        """Of a session that does what a migration does at its beginning, with another limit than 10 minutes."""
        def begin():
            self.migrating = self.open_session(
                'begin', "select pg_advisory_xact_lock(hashtextextended('tuskfs migrate', 0))")
        self.expect_alert('migration', begin, lambda: (self.migrating.send('rollback'), self.migrating.answer()),
                          edit=lambda t: t.replace("interval '10 minutes'", "interval '0'"))
        self.alert_state = {}
        begin()
        self.assertEqual(self.alert_steps(3), [{}, {}, {}])  # not so soon

    def test_alert_disk(self):
        """As a driver tells it; where nobody does, an alert neither comes nor goes."""
        def told(percent):
            return f'-c tusk.disk={{"path":"/d","percent":{percent},"free":5000000}}'
        self.alert_state = {}
        names = lambda steps: [step.get('disk') for step in steps]
        self.assertEqual(names(self.alert_steps(2)), [None, None])
        self.assertEqual(names(self.alert_steps(3, options=told(89.9))), [None] * 3)
        self.assertEqual(names(self.alert_steps(2, options=told(90))), [None, 'raise'])
        self.assertEqual(self.alert_state['disk']['severity'], 'warning')
        self.assertIn('/d is 90 % full, 4883 kB are left', self.alert_state['disk']['message'])
        self.assertEqual(names(self.alert_steps(2, options=told(98.5))), [None, 'raise'])
        self.assertEqual(self.alert_state['disk']['severity'], 'critical')
        self.assertEqual(names(self.alert_steps(4)), [None] * 4)
        self.assertIn('since', self.alert_state['disk'])
        self.assertEqual(names(self.alert_steps(4, options=told(81.1))), [None] * 4)
        self.assertEqual(names(self.alert_steps(3, options=told(80.9))), [None, None, 'clear'])

    def test_alert_cache(self):
        cache = lambda mb: f'select {mb}e6::float8 as bytes, 100e6::float8 as max_bytes'
        self.alert_state = {}
        names = lambda mb, count: [step.get('cache_bytes') for step in self.alert_steps(count, cache=cache(mb))]
        self.assertEqual(names(149, 2), [None, None])
        self.assertEqual(names(151, 2), [None, 'raise'])
        self.assertEqual(names(136, 3), [None] * 3)
        self.assertEqual(names(134, 3), [None, None, 'clear'])

    def make_tree(self):
        self.primary.sql('create schema tusk')
        for path in sorted(glob.glob(f'{ROOT}/sql/migrations/*.up.sql')):
            with open(path, encoding='utf-8') as file:
                self.primary.sql(file.read())
        self.primary.sql("insert into tusk.tenants (name, root_id) values ('default', tusk.uuid_v7())")
        return {'tree': text('stats_sources', 'alert_tree'), 'user': 'postgres'}

    def test_alert_large_file(self):
        """The limit is 100 MB; here a file of 2 MB is past it."""
        how = self.make_tree()
        how['edit'] = lambda t: t.replace('104857600', '1000000').replace('chunk_no = 1600', 'chunk_no = 15')
        self.expect_alert(
            'large_file',
            lambda: self.primary.sql(
                "select tusk.write_file('/big', '')",
                "set tusk.driver = on",
                "update tusk.files set data = null, size_bytes = 2000000, version = 2 where filename = 'big'",
                "insert into tusk.file_chunks (file_id, chunk_no, version, checksum, data)"
                " select f.id, 15, 2, decode(repeat('00', 16), 'hex'), 'x' from tusk.files f"
                " where f.filename = 'big'"),
            lambda: self.primary.sql("select tusk.delete('/big')"), **how)
        plan = self.primary.sql('set enable_seqscan = off', f"explain {text('stats_sources', 'alert_tree')}")
        self.assertIn('chunks_large', plan)

    def test_alert_backup(self):
        how = self.make_tree()
        age = lambda days: lambda: self.primary.sql(
            f"update tusk.tenants set created_at = now() - interval '{days} days'")
        back_up = lambda: self.primary.sql("select tusk.record_backup('other', '/b', 1, now(), null, true)")
        self.expect_alert('last_backup', age(2), back_up, **how)
        self.primary.sql('delete from tusk.backups', "update tusk.tenants set created_at = now()")
        self.expect_alert('last_backup', age(8), back_up, 'critical', **how)

        def grow_old():
            self.primary.sql("update tusk.backups set finished_at = now() - interval '25 hours'",
                             "select tusk.record_backup('other', '/b', null, now(), null, false)")
        self.expect_alert('last_backup', grow_old, back_up, **how)

    def test_alert_fsck(self):
        how = self.make_tree()
        look = lambda missing: lambda: self.primary.sql(
            'insert into tusk.checkups (tenant_id, scrubbed, errors, missing) '
            f'select id, false, {missing}, {missing} from tusk.tenants')
        self.expect_alert('fsck_missing', look(2), look(0), 'critical', **how)

    def test_archiver(self):
        self.addCleanup(self.archive_with, 'true')
        self.archive_with('false')
        self.primary.sql('create table bits ()', 'select pg_switch_wal()')
        failing = self.until(self.health, lambda h: h['cap'] == 49)
        self.assertIn('archiver failing', failing['reason'])
        self.archive_with('true')
        self.until(self.health, lambda h: h['cap'] == 100)

    def archive_with(self, command):
        self.primary.sql(f"alter system set archive_command = '{command}'", 'select pg_reload_conf()',
                         database='postgres')

    def test_standby(self):
        self.primary.stop('fast')
        run('cp', '-a', self.primary.folder, self.standby.folder)
        run('touch', f'{self.standby.folder}/standby.signal')
        self.standby.configure(primary_slot_name='follower',
                               primary_conninfo=f'host={self.top} port={self.primary.port} user=postgres')
        self.primary.start()
        self.primary.sql("select pg_create_physical_replication_slot('follower')", database='postgres')
        self.addCleanup(self.primary.sql, "select pg_drop_replication_slot('follower')", database='postgres')
        self.addCleanup(self.standby.stop)
        self.standby.start()
        self.until(lambda: self.component('replication_lag'), lambda c: c['score'] == 1)
        for name in NAMES:
            with self.subTest(name):
                self.ask(name, server=self.standby)
        for name in 'dead_tuples', 'unused_index':
            self.assertIsNone(self.component(name, server=self.standby)['score'])
        self.assertEqual([row['kind'] for row in self.ask('replication')], ['standby', 'slot'])
        self.assertEqual([row['kind'] for row in self.ask('replication', server=self.standby)], ['receiver'])
        limits = {'replication_lag': (0.1, 0.5, 1)}
        self.standby.sql('select pg_wal_replay_pause()', database='postgres')
        self.owner("create table news as select n, repeat('x', 500) from generate_series(1, 10000) n")
        for server in self.primary, self.standby:
            self.until(lambda: self.component('replication_lag', server=server, thresholds=limits),
                       lambda c: c['score'] == 0)
        self.assertEqual(self.health(thresholds=limits)['cap'], 49)
        self.assertGreater(self.ask('replication')[0]['lag_bytes'], 1 << 20)
        self.assertIn('paused', self.ask('replication', server=self.standby)[0]['detail'])
        self.standby.sql('select pg_wal_replay_resume()', database='postgres')
        for server in self.primary, self.standby:
            self.until(lambda: self.component('replication_lag', server=server, thresholds=limits),
                       lambda c: c['score'] == 1)

    def test_running_vacuum(self):
        self.owner("create table long as select n, repeat('x', 900) as pad from generate_series(1, 20000) n")
        worker = self.open_session('set vacuum_cost_delay = 100; set vacuum_cost_limit = 1')
        worker.send('vacuum long')
        seen = self.until(lambda: self.ask('vacuum')[0], lambda row: row['running'])
        self.assertEqual(seen['table_name'], 'long')
        self.primary.sql("select pg_cancel_backend(pid) from pg_stat_progress_vacuum")
        self.until(lambda: self.ask('vacuum')[0], lambda row: not row['running'])

    def test_views(self):
        """The same texts as views show the same columns, and work for a reader."""
        self.primary.sql('create schema tusk_stats', 'set search_path = tusk_stats',
                         'set search_path = tusk_stats;'
                         f"create view thresholds as {text('stats_sources', 'thresholds')};"
                         f"create view statements as {text('stats_sources', 'statements_none')};"
                         f"create view tree_usage as {text('stats_sources', 'usage_none')};"
                         f"create view cache_usage as {text('stats_sources', 'usage_none')};"
                         + ''.join(f"create view {name} as {text('stats', name)};"
                                   for name in ['health_components'] + [n for n in NAMES if n != 'health_components'])
                         + 'grant usage on schema tusk_stats to pg_monitor;'
                         'grant select on all tables in schema tusk_stats to pg_monitor')
        for name in NAMES:
            with self.subTest(name):
                rows = json.loads(self.primary.sql(
                    f"select coalesce(json_agg(to_json(q)), '[]') from tusk_stats.{name} q", user='watcher'))
                for mine, theirs in zip(self.ask(name), rows):
                    self.assertEqual(list(mine), list(theirs))

    def test_every_text_says_what_it_shows(self):
        for name in NAMES:
            with self.subTest(name):
                body = text('stats', name)
                self.assertRegex(body, r'\A-- \S')
                self.assertNotIn(';\n', re.sub(r"'[^']*'|--.*", '', body))

    # The arithmetic.

    WORKED = [('cache_hit', 20, 0.75), ('connections', 20, 1), ('dead_tuples', 15, 0.25), ('replication_lag', 10, None),
              ('oldest_xact', 10, 1), ('xid_age', 10, 1), ('blocked', 5, 1), ('idle_ratio', 5, None)]

    def worked(self, **scores):
        rows = ', '.join(
            f"('{name}', 1.5::float8, '%', {weight}, {name == 'idle_ratio'}, 0::float8, 1::float8, 2::float8, "
            f"{'null' if (s := scores.get(name, score)) is None else s}::float8)" for name, weight, score in self.WORKED)
        return self.health(components=f'''select * from (values {rows}) v
          (component, value, unit, weight, advisory, good, warn, crit, score)''')

    def test_score(self):
        def seen(**scores):
            health = self.worked(**scores)
            return health['score'], health['status'], health['cap']
        self.assertEqual(seen(), (80, 'warning', 89))
        self.assertEqual(seen(connections=0), (49, 'critical', 49))
        self.assertEqual(seen(dead_tuples=1), (94, 'ok', 100))
        self.assertEqual(seen(dead_tuples=1, idle_ratio=0), (88, 'warning', 100))
        self.assertEqual(seen(dead_tuples=0.5, cache_hit=1), (89, 'warning', 89))
        nothing = seen(**{name: None for name, _, _ in self.WORKED})
        self.assertEqual(nothing, (None, 'unknown', 100))

    def test_lines_between_thresholds(self):
        """xid_age of a young cluster is under 1 %, oldest and blocked are 0: the thresholds move instead."""
        def score(*limits):
            return self.component('blocked', thresholds={'blocked': limits})['score']
        self.assertEqual(score(0, 1, 3), 1)
        self.assertEqual(score(-1, 1, 3), 0.75)
        self.assertEqual(score(-1, 0, 3), 0.5)
        self.assertEqual(score(-3, -1, 3), 0.375)
        self.assertEqual(score(-3, -1, 0), 0)
        self.assertEqual(score(-1, 'null', 1), 0.5)
        self.assertEqual(score(5, -1, 1), 0.25)
        self.assertEqual(score(0, 0, 0), 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
