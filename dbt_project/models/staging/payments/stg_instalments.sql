-- One row per instalment agreed. Written by scripts/generate_staging.
select
    instalment_id,
    order_id,
    instalment_no,
    due_on,
    amount,
    currency,
    status,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'instalments') }}
