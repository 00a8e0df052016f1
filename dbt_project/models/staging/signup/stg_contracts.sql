-- One row per signed contract. Written by scripts/generate_staging.
select
    contract_id,
    lead_id,
    learner_id,
    contact_id,
    campus_id,
    order_id,
    status,
    signed_at,
    {{ day_of('signed_at') }} as signed_on,
    cancelled_at,
    {{ day_of('cancelled_at') }} as cancelled_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'contracts') }}
