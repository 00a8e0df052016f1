-- One row per course that a package was bought for, as the last package names it.
select
    package.course_id,
    (array_agg(package.course order by package.changed desc, package.package_id))[1] as name,
    null::text as subject,
    null::text as level,
    null::text as school_level,
    (array_agg(package.product_line order by package.changed desc, package.package_id))[1] as product_line,
    'scheduled' as delivery,
    null::integer as total_lessons,
    null::numeric as lesson_hours,
    null::numeric as list_price_amount,
    null::text as currency,
    null::boolean as is_terminal,
    null::text as next_course_id,
    max(package.changed) as updated_at,
    max(package._load_id) as _load_id
from {packages} as package
group by package.course_id
