-- One row per session of an attendance activity; a session that was marked was held.
select
    session.id as lesson_id,
    activity.course as class_id,
    'moodle' as campus_id,
    null::text as teacher_id,
    session.sessdate as starts_at,
    round(session.duration / 3600.0, 2) as hours,
    case when session.lasttaken is not null then 'held' else 'scheduled' end as status,
    null::text as topic,
    session.timemodified as updated_at,
    greatest(session._load_id, activity._load_id) as _load_id
from {attendance_sessions} as session
inner join {attendance} as activity on activity.id = session.attendanceid
where session.sessdate is not null
