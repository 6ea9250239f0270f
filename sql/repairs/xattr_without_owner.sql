-- deletes the attribute
delete from tusk.xattrs a
using pg_temp.finding x
where a.owner_id = x.owner_id
  and a.name = x.name
