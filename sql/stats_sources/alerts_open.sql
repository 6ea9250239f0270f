-- Alerts that are open.
select severity, name, since, value, threshold, unit, message, coalesce(acknowledged, false) as acknowledged,
  silenced_until
from tusk_stats.alerts
where since is not null
