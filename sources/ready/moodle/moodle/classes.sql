-- One row per course taught at set hours: the class and the course are one.
select
    course.id as class_id,
    course.id as course_id,
    'moodle' as campus_id,
    null::text as teacher_id,
    null::text as term,
    null::integer as capacity,
    (course.startdate at time zone {timezone})::date as starts_on,
    (course.enddate at time zone {timezone})::date as ends_on,
    'open' as status,
    null::text as successor_class_id,
    course.timemodified as updated_at,
    course._load_id
from {course} as course
where
    course.id <> '1'
    and exists (select 1 from {attendance} as activity where activity.course = course.id)
