-- One row per user with the student role in a course.
select
    learner.id as learner_id,
    null::text as household_id,
    'moodle' as campus_id,
    learner.name,
    null::uuid as nickname,
    null::uuid as name_core,
    null::uuid as birth_date,
    null::uuid as birth_date_swapped,
    null::integer as birth_year,
    null::text as gender,
    null::text as grade,
    null::text as school,
    learner.city as region,
    null::uuid as guardian_name,
    learner.phone as guardian_phone,
    null::boolean as guardian_phone_is_valid,
    null::uuid as guardian_wechat_unionid,
    null::text as acquisition_channel,
    case when learner.suspended then 'left' else 'active' end as status,
    false as is_test,
    false as is_staff_child,
    coalesce(learner.timecreated, learner.timemodified) as registered_at,
    learner.timemodified as updated_at,
    greatest(learner._load_id, roles._load_id) as _load_id
from {user} as learner
inner join (
    select
        given.userid,
        max(given._load_id) as _load_id
    from {role_assignments} as given
    inner join {role} as role on role.id = given.roleid and role.archetype = 'student'
    inner join {context} as context on context.id = given.contextid and context.contextlevel = 50
    group by given.userid
) as roles on roles.userid = learner.id
where not learner.deleted
