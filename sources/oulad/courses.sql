-- One row per module. Its field is the one the dataset's paper gives (table 1).
select
    code_module as course_id,
    code_module as name,
    case when code_module in ('AAA', 'BBB', 'GGG') then 'Social Sciences' else 'STEM' end as subject,
    null::text as level,
    'university' as school_level,
    'university' as product_line,
    'self_paced' as delivery,
    null::integer as total_lessons,
    null::numeric as lesson_hours,
    null::numeric as list_price_amount,
    null::text as currency,
    false as is_terminal,
    null::text as next_course_id,
    timestamptz '2013-01-01 12:00:00+00' as updated_at,
    max(_load_id) as _load_id
from {courses} as courses
group by code_module
