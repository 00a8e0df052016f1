-- One row per lesson of a class. Written by scripts/generate_staging.
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
from {{ source('canonical', 'lessons') }}
