drop index tusk.chunks_large;
drop function tusk.record_backup(text, text, bigint, timestamptz, timestamptz, boolean, jsonb);
drop table tusk.checkups;
drop table tusk.backups;
