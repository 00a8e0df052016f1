-- One row per class (a course given to a group over a term). Written by scripts/generate_staging.
select
    class_id,
    course_id,
    campus_id,
    teacher_id,
    term,
    capacity,
    starts_on,
    ends_on,
    status,
    successor_class_id,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'classes') }}
