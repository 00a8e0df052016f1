-- One row per campus and course: the files know no groups.
select
    package.campus_id || '-' || package.course_id as class_id,
    package.course_id,
    package.campus_id,
    null::text as teacher_id,
    null::text as term,
    null::integer as capacity,
    null::date as starts_on,
    null::date as ends_on,
    'open' as status,
    null::text as successor_class_id,
    max(package.changed) as updated_at,
    max(package._load_id) as _load_id
from {packages} as package
group by package.campus_id, package.course_id
