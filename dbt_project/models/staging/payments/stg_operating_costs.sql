-- One row per month, campus and kind of operating cost. Written by scripts/generate_staging.
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
from {{ source('canonical', 'operating_costs') }}
