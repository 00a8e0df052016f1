-- One row per member of staff in teaching and service. Written by scripts/generate_staging.
select
    staff_id,
    campus_id,
    name,
    role,
    hired_on,
    left_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'staff') }}
