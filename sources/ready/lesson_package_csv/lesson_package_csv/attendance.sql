-- One row per learner and lesson. An outcome the warehouse does not know counts as attended.
select
    lesson.row_id as attendance_id,
    package.campus_id || '-' || package.course_id || '-' || extract(epoch from lesson.lesson_at)::bigint as lesson_id,
    lesson.learner_id,
    lesson.package_id as enrolment_id,
    case
        when lesson.outcome in ('late', 'left_early', 'made_up', 'absent', 'leave') then lesson.outcome
        else 'attended'
    end as outcome,
    case when lesson.outcome in ('absent', 'leave') then 0 else lesson.hours end as hours,
    lesson.changed as marked_at,
    null::text as makes_up_lesson_id,
    null::timestamptz as leave_requested_at,
    null::text as leave_reason,
    lesson.changed as updated_at,
    greatest(lesson._load_id, package._load_id) as _load_id
from {lessons} as lesson
inner join {packages} as package on package.package_id = lesson.package_id
