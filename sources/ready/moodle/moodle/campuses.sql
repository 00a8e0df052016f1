-- Moodle knows no campuses: one row for the whole site, once it has a course.
select
    'moodle' as campus_id,
    'Moodle' as name,
    null::text as city,
    null::text as district,
    null::date as opened_on,
    null::date as closed_on,
    min(course.timemodified) as updated_at,
    max(course._load_id) as _load_id
from {course} as course
having count(*) > 0
