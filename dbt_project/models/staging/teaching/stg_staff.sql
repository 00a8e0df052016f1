-- One row per member of staff in teaching and service. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'staff') }}
)

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
from rows_now
