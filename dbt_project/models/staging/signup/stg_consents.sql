-- One row per consent given or withdrawn. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'consents') }}
)

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
from rows_now
