-- What people may set of the statistics. The views beside it hold nothing and are made by the driver.

create table tusk_stats.thresholds (
  name text primary key,
  good float8 not null,
  warn float8,
  crit float8 not null
);
comment on table tusk_stats.thresholds is
  'Where a component of the health score is good, wants attention, is critical; a row overrides the default.';
comment on column tusk_stats.thresholds.name is 'The component.';
comment on column tusk_stats.thresholds.good is 'Up to here the component counts in full.';
comment on column tusk_stats.thresholds.warn is 'Here it counts half; null: there is no such point.';
comment on column tusk_stats.thresholds.crit is 'From here on it counts nothing.';
