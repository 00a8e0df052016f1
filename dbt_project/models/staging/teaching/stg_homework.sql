-- One row per learner and piece of homework. Written by scripts/generate_staging.
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
from {{ source('canonical', 'homework') }}
