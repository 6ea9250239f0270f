-- Who follows this server and how far behind: a row for each standby (kind standby), each replication
-- slot (slot) and, on a standby, for itself (receiver). Empty without any.
-- lag_bytes is WAL not yet replayed, for a slot WAL kept for it; lag_s seconds behind, NULL if unknown
-- (on an idle standby 0). detail: how it is synchronised, or what the slot is and whether it is in use.
with wal as (
  select case when pg_is_in_recovery()
      then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
      else pg_current_wal_lsn() end as here
), listed (place, kind, name, state, bytes, lag_s, detail) as (
  select 1, 'standby', coalesce(nullif(r.application_name, ''), r.pid::text), r.state,
    pg_wal_lsn_diff(w.here, r.replay_lsn), extract(epoch from r.replay_lag)::numeric,
    format('%s from %s', r.sync_state, coalesce(host(r.client_addr), 'local'))
  from wal w, pg_catalog.pg_stat_replication r
  union all
  select 2, 'slot', s.slot_name::text, coalesce(s.wal_status, 'unreserved'),
    pg_wal_lsn_diff(w.here, s.restart_lsn), null,
    format('%s %s', s.slot_type, case when s.active then 'active' else 'inactive' end)
  from wal w, pg_catalog.pg_replication_slots s
  union all
  select 3, 'receiver', coalesce((select sender_host from pg_catalog.pg_stat_wal_receiver), 'archive'),
    coalesce((select status from pg_catalog.pg_stat_wal_receiver), 'not streaming'),
    pg_wal_lsn_diff(w.here, pg_last_wal_replay_lsn()),
    case when w.here = pg_last_wal_replay_lsn() then 0
      else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::numeric end,
    case when pg_is_wal_replay_paused() then 'replay is paused' else 'replaying' end
  from wal w
  where pg_is_in_recovery()
)
select kind, name, state, case when bytes is not null then greatest(bytes, 0)::int8 end as lag_bytes,
  round(lag_s, 1) as lag_s, detail
from listed
order by place, lag_bytes desc nulls last, name
limit 50
