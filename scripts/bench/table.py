"""table.py FILE: the measurements of bench.sh as a Markdown table, held against the targets."""
import json
import statistics
import sys

# workload, what it is, the system it is held against (or an absolute figure), the target, and whether
# more is better
ROWS = [
    ("create", "create 5,000 files of 4 KiB", "ceiling", 0.5, True),
    ("create_committed", "… until all are committed", None, 1.0, False),
    ("create4", "the same, 4 processes", "ceiling", 0.5, True),
    ("create4_committed", "… until all are committed", None, 1.0, False),
    ("sustained", "100,000 files, to the last commit", "ceiling", 0.3, True),
    ("sustained_dirty", "… most dirty memory", None, 96.0, False),
    ("sustained_resident", "… most resident memory", None, 400.0, False),
    ("fsync", "create + fsync each", "pgbench", 0.5, True),
    ("untar", "untar of /usr/include", "ceiling", 0.5, True),
    ("rmtree", "rm -rf of it", "ceiling", 0.5, True),
    ("stat", "stat, warm", "ceiling", 0.9, True),
    ("lsr", "ls -lR, warm", "ceiling", 0.9, True),
    ("lsr_cold", "ls -lR after a fresh mount", None, 20000.0, True),
    ("read_cold", "read 5,000 small files after a fresh mount", None, 5000.0, True),
    ("seqwrite", "sequential write, 512 MiB, fsync", "pgload", 0.6, True),
    ("seqread", "sequential read, 512 MiB, cold", "pgload", 0.6, True),
    ("randwrite", "4 KiB random writes on 64 MiB, one fsync", "ceiling", 0.5, True),
    ("sqlite", "sqlite3, one row a transaction", "plain", 0.3, True),
    ("gitclone", "git clone, 1,000 files", "plain", 3.0, False),
    ("gitstatus", "git status", "plain", 3.0, False),
    ("clone", "tuskfs clone of 10,000 files of 4 KiB", None, 2.0, False),
    ("snapshot", "tuskfs snapshot create", None, 0.05, False),
    ("purge", "tuskfs gc of 40,000 trashed files", None, 20000.0, True),
    ("shared", "two mounts, fsync off: create files of 4 KiB", None, 700.0, True),
    ("shared4", "the same, 4 processes", None, 2800.0, True),
    ("shared_shows", "until a new file shows in the other, p99", None, 0.1, False),
    ("cacheget", "GET: open, read, close a key of cache/", "redis", 1.0, True),
    ("cacheset", "SET: open, write, close", "redis", 0.3, True),
    ("cachesql_get", "by SQL: tusk_cache.get, p95", None, 3.0, False),
    ("cachesql_set", "tusk_cache.set, p95", None, 5.0, False),
    ("cachesql_session", "tusk_cache.session_get, p95", None, 2.0, False),
    ("cachesql_flag", "tusk_cache.flag_enabled, p95", None, 1.0, False),
]
SYSTEMS = {
    "tuskfs": "TuskFS",
    "ceiling": "ceiling",
    "asked": "ceiling, asked as TuskFS",
    "pgload": "libpq",
    "pgbench": "pgbench",
    "plain": "plain folder",
    "redis": "Redis",
}


def short(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def read(path):
    values, units = {}, {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            values.setdefault((row["workload"], row["system"]), {})[row["round"]] = row["value"]
            units[row["workload"]] = row["unit"]
    return values, units


def verdict(value, target, more_is_better):
    return "yes" if (value >= target if more_is_better else value <= target) else "**no**"


def row_of(row, values, units, systems):
    workload, text, against, target, more_is_better = row
    mine = values[workload, "tuskfs"]
    cells = [text, units[workload]]
    for system in systems:
        got = values.get((workload, system))
        cells.append(short(statistics.median(got.values())) if got else "")
    sign = "≥" if more_is_better else "≤"
    if against is None:
        median = statistics.median(mine.values())
        cells += ["", f"{sign} {short(target)}", verdict(median, target, more_is_better)]
    else:
        other = values.get((workload, against), {})
        # Each round's own ratio: the machine's speed drifts between rounds.
        ratios = [mine[n] / other[n] for n in mine if n in other]
        ratio = statistics.median(ratios) if ratios else float("nan")
        cells += [f"{ratio:.2f} of {SYSTEMS[against]}", f"{sign} {target:g}", verdict(ratio, target, more_is_better)]
    return "| " + " | ".join(cells) + " |"


def main():
    values, units = read(sys.argv[1])
    systems = [s for s in SYSTEMS if any(key[1] == s for key in values)]
    titles = ["workload", "unit", *(SYSTEMS[s] for s in systems), "ratio", "target", "reached"]
    print("| " + " | ".join(titles) + " |")
    print("|---" * len(titles) + "|")
    for row in ROWS:
        if (row[0], "tuskfs") in values:
            print(row_of(row, values, units, systems))


main()
