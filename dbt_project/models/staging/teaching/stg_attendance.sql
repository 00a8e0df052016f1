-- One row per learner and lesson, with the outcome. Written by scripts/generate_staging.
select
    attendance_id,
    lesson_id,
    learner_id,
    enrolment_id,
    outcome,
    hours,
    marked_at,
    {{ day_of('marked_at') }} as marked_on,
    makes_up_lesson_id,
    leave_requested_at,
    {{ day_of('leave_requested_at') }} as leave_requested_on,
    leave_reason,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'attendance') }}
