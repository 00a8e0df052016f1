-- One row per teacher and subject taught. Written by scripts/generate_staging.
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
from {{ source('canonical', 'teachers') }}
