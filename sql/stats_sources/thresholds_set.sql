-- The defaults, but for what somebody has set in tusk_stats.own_thresholds.
select d.name, coalesce(s.good, d.good) as good,
  case when s.name is null then d.warn else s.warn end as warn, coalesce(s.crit, d.crit) as crit
from default_thresholds d
left join tusk_stats.own_thresholds s on s.name = d.name
