-- One row per compensation granted to a customer. Written by scripts/generate_staging.
select
    compensation_id,
    learner_id,
    complaint_id,
    kind,
    amount,
    hours,
    currency,
    granted_at,
    {{ day_of('granted_at') }} as granted_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'compensations') }}
