-- One row per assignment with a due day and student who was enrolled on that day; only what was submitted counts as
-- handed in, a draft does not. Scores are shares of the best possible grade, times 100.
select
    task.id || '-' || student.userid as homework_id,
    student.userid as learner_id,
    student.courseid || '-' || student.userid as enrolment_id,
    null::text as lesson_id,
    task.name as topic,
    (task.duedate at time zone {timezone})::date as due_on,
    submission.submitted_at,
    case when submission.submitted_at is not null then round(100 * grade.finalgrade / nullif(item.grademax, 0), 2) end as score,
    greatest(task.timemodified, submission.submitted_at, grade.timemodified) as updated_at,
    greatest(task._load_id, student._load_id, submission._load_id, item._load_id, grade._load_id) as _load_id
from {assign} as task
inner join (
    select
        method.courseid,
        by_method.userid,
        min(coalesce(by_method.timestart, by_method.timecreated, by_method.timemodified)) as first_at,
        case
            when min(by_method.status) > 0 then max(by_method.timemodified)
            when count(*) = count(by_method.timeend) then max(by_method.timeend)
        end as last_at,
        greatest(max(by_method._load_id), max(method._load_id)) as _load_id
    from {user_enrolments} as by_method
    inner join {enrol} as method on method.id = by_method.enrolid
    where exists (
        select 1
        from {role_assignments} as given
        inner join {role} as role on role.id = given.roleid and role.archetype = 'student'
        inner join {context} as context on context.id = given.contextid and context.contextlevel = 50
        where given.userid = by_method.userid and context.instanceid = method.courseid
    )
    group by method.courseid, by_method.userid
) as student
    on
        student.courseid = task.course
        and student.first_at <= task.duedate
        and (student.last_at is null or student.last_at > task.duedate)
left join (
    select
        assignment,
        userid,
        max(timemodified) as submitted_at,
        max(_load_id) as _load_id
    from {assign_submission} as submissions
    where
        status = 'submitted'
        and latest
    group by assignment, userid
) as submission on submission.assignment = task.id and submission.userid = student.userid
left join {grade_items} as item on item.itemmodule = 'assign' and item.iteminstance = task.id
left join {grade_grades} as grade on grade.itemid = item.id and grade.userid = student.userid
where task.duedate is not null
