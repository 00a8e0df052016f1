-- One row per teacher and subject taught. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'teachers') }}
)

select
    teacher_id,
    staff_id,
    campus_id,
    subject,
    level,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
