-- The thresholds are the defaults again.
drop table tusk_stats.thresholds;
