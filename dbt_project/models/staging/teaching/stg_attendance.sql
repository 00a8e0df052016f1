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
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'attendance') }}
