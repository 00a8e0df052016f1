-- One row per course on offer.
with

courses as (
    select * from {{ ref('stg_courses') }}
)

select
    course_id,
    name as course_name,
    subject,
    level,
    school_level,
    product_line,
    delivery,
    total_lessons,
    lesson_hours,
    list_price_amount,
    currency,
    coalesce(is_terminal, false) as is_terminal,
    next_course_id
from courses
