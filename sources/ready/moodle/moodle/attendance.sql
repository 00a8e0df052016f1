-- One row per session and student marked. Statuses by their letter (P, L, E, A), others by whether they earn points.
select
    marked.id as attendance_id,
    marked.sessionid as lesson_id,
    marked.studentid as learner_id,
    activity.course || '-' || marked.studentid as enrolment_id,
    outcomes.outcome,
    case when outcomes.outcome in ('attended', 'late') then round(session.duration / 3600.0, 2) else 0 end as hours,
    marked.timetaken as marked_at,
    null::text as makes_up_lesson_id,
    null::timestamptz as leave_requested_at,
    null::text as leave_reason,
    marked.timetaken as updated_at,
    greatest(marked._load_id, session._load_id, activity._load_id, outcomes._load_id) as _load_id
from {attendance_log} as marked
inner join {attendance_sessions} as session on session.id = marked.sessionid
inner join {attendance} as activity on activity.id = session.attendanceid
inner join (
    select
        id,
        case upper(acronym)
            when 'P' then 'attended'
            when 'L' then 'late'
            when 'E' then 'leave'
            when 'A' then 'absent'
            else case when grade > 0 then 'attended' else 'absent' end
        end as outcome,
        _load_id
    from {attendance_statuses} as statuses
) as outcomes on outcomes.id = marked.statusid
