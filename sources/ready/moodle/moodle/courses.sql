-- One row per course; a course with an attendance activity is taught at set hours. Course 1 is the site's front page.
select
    course.id as course_id,
    course.fullname as name,
    null::text as subject,
    null::text as level,
    null::text as school_level,
    'moodle' as product_line,
    case when exists (select 1 from {attendance} as activity where activity.course = course.id) then 'scheduled' else 'self_paced' end
        as delivery,
    null::integer as total_lessons,
    null::numeric as lesson_hours,
    null::numeric as list_price_amount,
    null::text as currency,
    null::boolean as is_terminal,
    null::text as next_course_id,
    course.timemodified as updated_at,
    course._load_id
from {course} as course
where course.id <> '1'
