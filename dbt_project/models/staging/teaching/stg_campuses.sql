-- One row per campus. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'campuses') }}
)

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
from rows_now
