-- One row per course on offer. Written by scripts/generate_staging.
select
    course_id,
    name,
    subject,
    level,
    school_level,
    product_line,
    delivery,
    total_lessons,
    lesson_hours,
    list_price_amount,
    currency,
    is_terminal,
    next_course_id,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'courses') }}
