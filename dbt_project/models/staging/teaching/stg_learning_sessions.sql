-- One row per session in the learning app or site. Written by scripts/generate_staging.
select
    session_id,
    learner_id,
    enrolment_id,
    kind,
    activity_count,
    duration_minutes,
    started_at,
    {{ day_of('started_at') }} as started_on,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'learning_sessions') }}
