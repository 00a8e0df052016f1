-- One row per consent given or withdrawn. Written by scripts/generate_staging.
select
    consent_id,
    contact_id,
    learner_id,
    purpose,
    is_granted,
    is_guardian,
    given_at,
    {{ day_of('given_at') }} as given_on,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'consents') }}
