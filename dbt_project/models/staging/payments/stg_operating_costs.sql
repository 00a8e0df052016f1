-- One row per month, campus and kind of operating cost. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'operating_costs') }}
)

select
    operating_cost_id,
    campus_id,
    month_on,
    kind,
    amount,
    currency,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
