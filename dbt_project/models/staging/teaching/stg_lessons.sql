-- One row per lesson of a class. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'lessons') }}
)

select
    lesson_id,
    class_id,
    campus_id,
    teacher_id,
    starts_at,
    {{ day_of('starts_at') }} as starts_on,
    hours,
    status,
    topic,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
