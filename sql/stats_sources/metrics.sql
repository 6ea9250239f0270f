-- What stats/metrics says of the server, a row for each sample; labels is empty where it has none.
-- What the driver counts of itself is in a mount's file alone.
select 'tusk_up' as name, jsonb_build_object() as labels, 1::float8 as value
union all
select 'tusk_health_score', jsonb_build_object(), h.score
from tusk_stats.health h
where h.score is not null
union all
select 'tusk_health_component_' || m.measure, jsonb_build_object('component', c.component), m.value
from tusk_stats.health_components c
cross join lateral (values ('value', c.value), ('score', c.score), ('weight', c.weight)) as m (measure, value)
where m.value is not null
union all
select 'tusk_alert', jsonb_build_object('name', a.name, 'severity', a.severity), 1
from tusk_stats.alerts_open a
where a.silenced_until is null or a.silenced_until <= now()
union all
select 'pg_cache_hit_percent', jsonb_build_object('kind', c.kind), c.hit_pct
from tusk_stats.cache_hit c
where c.hit_pct is not null
union all
select 'pg_connections', jsonb_build_object('state', c.state), c.connections
from tusk_stats.connections c
where c.connections is not null
union all
select 'pg_database_size_bytes', jsonb_build_object('name', s.name), s.bytes
from tusk_stats.sizes s
where s.kind = 'database'
