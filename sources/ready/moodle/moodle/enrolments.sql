-- One row per course and user with the student role in it, from the first enrolment by whatever method. A course
-- that is completed is so on its day; where every method is suspended, the last change of one is the withdrawal.
select
    enrolled.courseid || '-' || enrolled.userid as enrolment_id,
    enrolled.userid as learner_id,
    enrolled.courseid as course_id,
    case when is_scheduled then enrolled.courseid end as class_id,
    'moodle' as campus_id,
    null::text as order_line_id,
    case when is_scheduled then 'scheduled' else 'self_paced' end as delivery,
    case when completed_on is not null then 'completed' when withdrawn_on is not null then 'withdrawn' else 'active' end as status,
    enrolled_on,
    greatest(enrolled_on, (course.startdate at time zone {timezone})::date) as starts_on,
    -- An end by the enrolment counts before that of the course; without both it goes on.
    case
        when coalesce(enrolled.ends_on, (course.enddate at time zone {timezone})::date) is not null
            then greatest(enrolled_on, coalesce(enrolled.ends_on, (course.enddate at time zone {timezone})::date))
    end as ends_on,
    case when completed_on is null then withdrawn_on end as withdrawn_on,
    null::text as withdrawal_reason,
    completed_on,
    case when completed_on is not null then 'pass' when withdrawn_on is not null then 'withdrawn' end as result,
    greatest(enrolled.updated_at, completed_at) as updated_at,
    greatest(enrolled._load_id, course._load_id, completion_load_id) as _load_id
from (
    select
        method.courseid,
        by_method.userid,
        min((coalesce(by_method.timestart, by_method.timecreated, by_method.timemodified) at time zone {timezone})::date)
            as enrolled_on,
        case when count(*) = count(by_method.timeend) then max((by_method.timeend at time zone {timezone})::date) end as ends_on,
        case when min(by_method.status) > 0 then max((by_method.timemodified at time zone {timezone})::date) end as withdrawn_on,
        max(by_method.timemodified) as updated_at,
        greatest(max(by_method._load_id), max(method._load_id), max(roles._load_id)) as _load_id
    from {user_enrolments} as by_method
    inner join {enrol} as method on method.id = by_method.enrolid
    inner join (
        select
            given.userid,
            context.instanceid as courseid,
            max(given._load_id) as _load_id
        from {role_assignments} as given
        inner join {role} as role on role.id = given.roleid and role.archetype = 'student'
        inner join {context} as context on context.id = given.contextid and context.contextlevel = 50
        group by given.userid, context.instanceid
    ) as roles on roles.userid = by_method.userid and roles.courseid = method.courseid
    group by method.courseid, by_method.userid
) as enrolled
inner join (
    select
        course.*,
        exists (select 1 from {attendance} as activity where activity.course = course.id) as is_scheduled
    from {course} as course
) as course on course.id = enrolled.courseid
left join (
    select
        course as courseid,
        userid,
        min((timecompleted at time zone {timezone})::date) as completed_on,
        min(timecompleted) as completed_at,
        max(_load_id) as completion_load_id
    from {course_completions} as completions
    where timecompleted is not null
    group by course, userid
) as completions on completions.courseid = enrolled.courseid and completions.userid = enrolled.userid
