-- One row per learner and piece of homework. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'homework') }}
)

select
    homework_id,
    learner_id,
    enrolment_id,
    lesson_id,
    topic,
    due_on,
    submitted_at,
    {{ day_of('submitted_at') }} as submitted_on,
    score,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
