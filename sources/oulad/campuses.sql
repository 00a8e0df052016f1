-- One row: the Open University teaches at a distance and is one campus.
select
    'OU' as campus_id,
    'The Open University' as name,
    'Milton Keynes' as city,
    null::text as district,
    null::date as opened_on,
    null::date as closed_on,
    timestamptz '2013-01-01 12:00:00+00' as updated_at,
    max(_load_id) as _load_id
from {courses} as courses
having count(*) > 0
