-- One row per instalment agreed. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'instalments') }}
)

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
from rows_now
