-- One row per learner and lesson, with the outcome. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'attendance') }}
)

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
from rows_now
