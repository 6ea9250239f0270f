-- Locks of files between the mounts of a tree. See migration 0013.

-- name: set_locks
select tusk.set_locks($1::uuid, $2::int8, $3::uuid, $4::bool, $5::int8, $7::int8, $8::int8,
  case when $6::bool then $9::bool end, $10::bool, $11::int8[], $12::int8[], $13::bool[], $14::int8[])

-- name: blocking_lock
-- No row or one.
select l.first, l.last, l.is_exclusive, l.pid
from tusk.blocking_lock($1::uuid, $2::int8, $3::uuid, $4::bool, $5::int8, $6::int8, $7::bool) l

-- name: other_locks
-- Who would be alone with the tree: whether other mounts, perhaps without a connection just now, have
-- locks in it; one row.
select tusk.other_locks($1::uuid, $2::int8)

-- name: listen_locks
-- The session that looks out hears when others have let go of locks.
listen tusk_locks
