-- One row per day on which a campus, or all, are closed. Written by scripts/generate_staging.
select
    closed_day_id,
    campus_id,
    closed_on,
    reason,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'closed_days') }}
