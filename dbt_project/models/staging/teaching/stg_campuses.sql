-- One row per campus. Written by scripts/generate_staging.
select
    campus_id,
    name,
    city,
    district,
    opened_on,
    closed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'campuses') }}
