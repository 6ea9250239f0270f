-- Where a component is good, wants attention, is critical. Without a warn the line runs straight.
select name, good::float8, warn::float8, crit::float8
from (values
  ('cache_hit', 99, 95, 90),
  ('connections', 50, 80, 95),
  ('dead_tuples', 5, 20, 40),
  ('replication_lag', 16, 100, 1024),
  ('oldest_xact', 60, 1800, 3600),
  ('xid_age', 10, 50, 80),
  ('blocked', 0, 1, 3),
  ('idle_ratio', 50, null, 75),
  ('unused_index', 0, 10, 30)
) as t (name, good, warn, crit)
