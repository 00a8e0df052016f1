-- One row per approved suspension of study. Written by scripts/generate_staging.
select
    pause_id,
    learner_id,
    from_on,
    to_on,
    reason,
    approved_at,
    {{ day_of('approved_at') }} as approved_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'pauses') }}
