-- Alerts are forgotten; the driver then keeps its own in memory.
drop function if exists tusk_stats.alerts_check();
drop function if exists tusk_stats.alert_tree();
drop view if exists tusk_stats.metrics;
drop view if exists tusk_stats.alerts_open;
drop function tusk_stats.alerts_store(jsonb, jsonb);
drop function tusk_stats.alerts_state();
drop function tusk_stats.alerts_lock();
drop table tusk_stats.alerts_sampled;
drop table tusk_stats.alert_events;
drop table tusk_stats.alerts;
