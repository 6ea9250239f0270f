-- Where each component of the health score is good, wants attention and is critical, in the
-- component's unit; warn is NULL where there is no such point.
select name, good, warn, crit
from thresholds
order by name
