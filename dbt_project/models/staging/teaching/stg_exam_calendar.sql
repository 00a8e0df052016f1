-- One row per public or school exam. Written by scripts/generate_staging.
select
    exam_id,
    name,
    subject,
    grade,
    region,
    exam_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'exam_calendar') }}
