-- One row per action taken on a danger signal. Written by scripts/generate_staging.
select
    intervention_id,
    learner_id,
    signal_code,
    owner_id,
    action,
    result,
    opened_at,
    {{ day_of('opened_at') }} as opened_on,
    closed_at,
    {{ day_of('closed_at') }} as closed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'interventions') }}
