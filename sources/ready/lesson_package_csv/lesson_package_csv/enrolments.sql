-- One row per package: the right it gives is taken up in its course.
select
    package.package_id as enrolment_id,
    package.learner_id,
    package.course_id,
    package.campus_id || '-' || package.course_id as class_id,
    package.campus_id,
    package.package_id || '-1' as order_line_id,
    'scheduled' as delivery,
    'active' as status,
    (package.bought_at at time zone {timezone})::date as enrolled_on,
    null::date as starts_on,
    package.valid_to as ends_on,
    null::date as withdrawn_on,
    null::text as withdrawal_reason,
    null::date as completed_on,
    null::text as result,
    package.changed as updated_at,
    package._load_id
from {packages} as package
