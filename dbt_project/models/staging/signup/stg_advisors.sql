-- One row per sales advisor. Written by scripts/generate_staging.
select
    advisor_id,
    campus_id,
    name,
    team,
    specialty,
    hired_on,
    left_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'advisors') }}
