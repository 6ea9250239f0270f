"""Documents such as the driver puts into the pages: an ordinary one, one with nothing in it, a hostile one."""

COMPONENTS = [
    # component, value, unit, weight, advisory, good, warn, crit, score
    ("cache_hit", 97.1, "%", 20, False, 99, 95, 90, 0.75),
    ("connections", 31.96, "%", 20, False, 50, 80, 95, 1),
    ("dead_tuples", 31.0, "%", 15, False, 5, 20, 40, 0.225),
    ("replication_lag", None, "MB", 10, False, 16, 100, 1024, None),
    ("oldest_xact", 4127.41, "s", 10, False, 60, 1800, 3600, 0),
    ("xid_age", 0.004, "%", 10, False, 10, 50, 80, 1),
    ("blocked", 0, "backends", 5, False, 0, 1, 3, 1),
    ("idle_ratio", 62.5, "%", 5, True, 50, None, 75, 0.5),
    ("unused_index", 3.27, "%", 5, True, 0, 10, 30, 0.8365),
]
FIELDS = ("component", "value", "unit", "weight", "advisory", "good", "warn", "crit", "score")
NAMES = ["orders", "order_lines", "customers", "events", "sessions", "invoices", "payments",
         "stock", "audit_log", "products", "prices", "addresses", "returns", "carts"]


def section(columns, rows, advice=(), error=None, **more):
    return {"columns": columns, "rows": rows, "advice": list(advice), "error": error, **more}


def components(rows=COMPONENTS):
    return [dict(zip(FIELDS, row)) for row in rows]


def trend(points=160):
    def one(i):
        drop = 22 if 90 <= i < 104 else 0
        return {"at": f"2026-11-{16 + i // 24:02}T{i % 24:02}:00:00Z",
                "score": None if i in (40, 41) else 95 - drop - i % 5,
                "components": {name: None if value is None else round(value * (1 + (i * 7 % 11 - 5) / 100) + drop, 3)
                               for name, value, *_ in COMPONENTS}}
    return [one(i) for i in range(points)]


def size(count):
    return f"{round(count / 1048576)} MB"


def ordinary():
    tables = [["public", name, 81788928 * (14 - i), size(81788928 * (14 - i)), 1204311 // (i + 1), 4711 * i,
               round(2.3 * i, 1), None if i == 3 else f"2026-11-{22 - i:02} 03:14:1{i % 10}.123456+00"]
              for i, name in enumerate(NAMES)]
    indexes = [["public", name, f"{name}_pkey" if i % 2 else f"{name}_created_at_idx", "primary" if i % 2 else "plain",
                18472960 * (i + 2), size(18472960 * (i + 2)), 90211 * (i % 4), None, "f" if i % 4 else "t", 34.2,
                None if i % 4 else f"CREATE INDEX {name}_created_at_idx ON public.{name} USING btree (created_at);"]
               for i, name in enumerate(NAMES[:9])]
    slow = section(["mean_ms", "calls", "total_ms", "rows", "query"], [
        [1841.33, 212, 390361.9, 212, "select count(*) from order_lines l join orders o using (order_id) where o.state"],
        [204.08, 9120, 1861209.6, 182400, "select * from events where kind = $1 order by at desc limit $2"],
        [0.004, 88123456, 352493.8, 88123456, "update stock set left = left - $1 where product_id = $2"],
    ], ["EXPLAIN (ANALYZE, BUFFERS): a sequential scan of a big table wants an index, an external sort more work_mem"])
    return {
        "schema_version": 1, "measured_at": "2026-11-23T10:00:00Z", "database": "app", "server": "PostgreSQL 15.5",
        "health": {"schema_version": 1, "measured_at": "2026-11-23T10:00:00Z", "score": 93, "status": "ok",
                   "reason": None, "components": components()},
        "tables": section(["schema_name", "table_name", "total_bytes", "total_size", "live_rows", "dead_rows",
                           "dead_pct", "last_vacuum"], tables,
                          ["VACUUM ANALYZE public.carts;", "VACUUM ANALYZE public.returns;"]),
        "indexes": section(["schema_name", "table_name", "index_name", "kind", "bytes", "size", "scans", "last_scan",
                            "unused", "stats_days", "undo"], indexes,
                           ["DROP INDEX CONCURRENTLY public.orders_created_at_idx;"]),
        "cache_hit": section(["kind", "hits", "reads", "hit_pct"],
                             [["tables", 90213441, 2710021, 97.08], ["indexes", 120442910, 120301, 99.9],
                              ["toast", 0, 0, None], ["database", 211002310, 2830331, 98.68]]),
        "connections": section(["state", "connections", "pct_of_max", "max_usable", "longest_s"],
                               [["idle", 21, 21.6, 97, 812.4], ["active", 9, 9.3, 97, 4127.4],
                                ["idle in transaction", 1, 1.0, 97, 55.0], ["total", 31, 32.0, 97, None]]),
        "slow_queries": slow,
        "slow_queries_total": section(slow["columns"], sorted(slow["rows"], key=lambda row: -row[2])),
        "locks": section(["blocked_pid", "blocked_query", "blocking_pid", "blocking_query", "mode", "waiting_s"], []),
        "vacuum": section(["schema_name", "table_name", "dead_rows", "dead_pct", "running", "xid_age"],
                          [["public", "events", 91234, 31.0, "scanning heap 42 %", 190211],
                           ["public", "orders", 1201, 0.4, None, 190209]]),
        "replication": section(["kind", "name", "state", "lag_bytes", "lag_s", "detail"],
                               [["slot", "archive", "reserved", 5242880, None, "physical inactive"]]),
        "missing_indexes": section(["schema_name", "table_name", "live_rows", "bytes", "seq_scans", "index_pct"],
                                   [["public", "events", 1204311, 3221225472, 8123, 41.7]],
                                   ["look for a WHERE without an index; EXPLAIN the queries on this table"]),
        "sizes": section(["kind", "name", "bytes", "size", "pct"],
                         [["database", "app", 9663676416, "9216 MB", 88.2], ["database", "postgres", 7602176, "7424 kB", 0.1],
                          ["table", "public.events", 3221225472, "3072 MB", 33.3]]),
        "usage": section(["kind", "name", "items", "bytes", "size", "limit_bytes", "pct"],
                         [["tree", "default", 120341, 5368709120, "5120 MB", None, None],
                          ["cache", "cache", 412, 1048576, "1024 kB", 268435456, 0.4]]),
        "alerts": [
            {"severity": "warning", "name": "dead_tuples", "since": "2026-11-23T08:10:00Z", "value": 31.0, "threshold": 20,
             "message": "public.events has 31 dead rows for every 100 live ones", "state": "open"},
            {"severity": "critical", "name": "oldest_xact", "since": "2026-11-23T09:01:00Z", "value": 4127.41,
             "threshold": 3600, "message": "a transaction has been open for more than an hour", "state": "open"},
            {"severity": "warning", "name": "idle_ratio", "since": "2026-11-20T12:00:00Z", "value": 62.5, "threshold": 50,
             "message": "most connections are idle", "state": "silenced"},
        ],
        "trend": trend(),
    }


def empty():
    why = "unreachable: could not connect to server: Connection refused"
    names = [name for name, part in ordinary().items() if isinstance(part, dict) and "columns" in part]
    return {"schema_version": 1, "measured_at": "2026-11-23T10:00:00Z", "database": None, "server": None,
            "health": {"schema_version": 1, "measured_at": "2026-11-23T10:00:00Z", "score": 0, "status": "critical",
                       "reason": "unreachable",
                       "components": components([(name, None, unit, weight, advisory, None, None, None, None)
                                                 for name, _, unit, weight, advisory, *_ in COMPONENTS])},
            **{name: section([], [], error=why) for name in names}, "alerts": [], "trend": []}


ATTACKS = ['</script><img src=x onerror="document.title=\'taken\'">', "<script>document.title='taken'</script>",
           '"><svg onload=document.title="taken">', "/*TUSK_DATA*/null", "/*TUSK_JS*/ /*TUSK_CSS*/", "javascript:alert(1)",
           "<!--<script>", "__proto__", "constructor", "a\u202eelbat\u202c\u0000\u0007 end", "ａｅｉ 表 " + "x" * 63,
           "$& $` $1 \\1 \\g<0>", "<link rel=stylesheet href=http://tusk.invalid/x.css>"]


def hostile():
    document = ordinary()
    attack = lambda i: ATTACKS[i % len(ATTACKS)]
    query = "select " + ", ".join(f"{attack(i)} as c{i}" for i in range(120))
    tables = [["public", f"{attack(i)}{i}", (i * 7919 % 400) * 8192, f"{(i * 7919 % 400) * 8} kB", i, i * 3 % 101,
               [31.5, None, "NaN", -0.5][i % 4], "infinity"] for i in range(400)]
    document.update(
        database=ATTACKS[0], server=ATTACKS[1],
        tables=section(document["tables"]["columns"], tables, ATTACKS),
        slow_queries=section(["mean_ms", "calls", "total_ms", "rows", "query"],
                             [[i + 0.5, 3, 3e15, 1, f"{i} {query}"] for i in range(12)]),
        locks=section([ATTACKS[0], "waiting_s"], [[ATTACKS[2], 1], [True, 2], [{"a": ATTACKS[0]}, 3]], error=ATTACKS[0]))
    document[ATTACKS[0]] = section(["constructor", "__proto__"], [["toString", "__proto__"]])
    document["health"].update(status=ATTACKS[0], reason=ATTACKS[2])
    document["health"]["components"].append(
        dict(zip(FIELDS, (ATTACKS[0], 1e9, ATTACKS[1], 5, False, 0, 1, 2, 0))))
    document["alerts"] = [{"severity": text, "name": text, "since": text, "value": None, "threshold": text,
                           "message": text, "state": text} for text in ATTACKS]
    return document


def weekly(document, attacked=False):
    """The document of the weekly report, which is one of the dashboard and more."""
    name = ATTACKS[0] if attacked else "public.orders"
    full = bool(document["trend"])
    week = {"week": "2026-W47", "from": "2026-11-16T00:00:00Z", "to": "2026-11-23T00:00:00Z",
            "previous": {"score": 88 if full else None}, "alerts_of_week": document["alerts"], "growth": [], "actions": []}
    if full:
        week["growth"] = [{"name": name, "kind": "table", "bytes": 1145044992, "delta_bytes": 73400320},
                          {"name": "public.carts", "kind": "table", "bytes": 81788928, "delta_bytes": -1048576},
                          {"name": "app", "kind": "database", "bytes": 9663676416, "delta_bytes": None}]
        week["actions"] = [
            {"title": f"Vacuum {name}", "why": "31 dead rows for every 100 live ones: scans read a third more than they need.",
             "sql": f"VACUUM (ANALYZE) {name};", "undo": None},
            {"title": "Drop an index which nobody uses", "why": "It costs 35 MB and every insert, and was not scanned in 34 days.",
             "sql": "DROP INDEX CONCURRENTLY public.orders_created_at_idx;",
             "undo": "CREATE INDEX orders_created_at_idx ON public.orders USING btree (created_at);"},
            {"title": "End the oldest transaction", "why": "It keeps VACUUM from removing anything since 09:01.",
             "sql": "select pid, query\n  from pg_stat_activity\n where xact_start < now() - interval '1 hour';", "undo": None}]
    if attacked:
        week["notice"] = ATTACKS[0]
    out = {**document, **week}
    if full:
        rows = document["connections"]["rows"]
        out["connections"] = {**document["connections"], "deltas": [[None, i - 1, 0.5 * i, 0, None] for i in range(len(rows))]}
        out["cache_hit"] = {**document["cache_hit"],
                            "deltas": section(["kind", "hit_pct_before", "delta_pct"], [["tables", 96.11, 0.97]])}
    return out
