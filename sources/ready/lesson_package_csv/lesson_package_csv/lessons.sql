-- One row per campus, course and time at which somebody had a lesson.
select
    package.campus_id || '-' || package.course_id || '-' || extract(epoch from lesson.lesson_at)::bigint as lesson_id,
    package.campus_id || '-' || package.course_id as class_id,
    package.campus_id,
    min(lesson.teacher_id) as teacher_id,
    lesson.lesson_at as starts_at,
    max(lesson.hours) as hours,
    'held' as status,
    min(lesson.topic) as topic,
    max(lesson.changed) as updated_at,
    max(greatest(lesson._load_id, package._load_id)) as _load_id
from {lessons} as lesson
inner join {packages} as package on package.package_id = lesson.package_id
group by package.campus_id, package.course_id, lesson.lesson_at
