-- One row per event of the log by somebody logged in: a plain selection, so that a night reads a learner's events by
-- index. Logging in and out, and being made to do so, is no study.
select
    event.id as session_id,
    event.userid as learner_id,
    case when event.courseid not in ('0', '1') then event.courseid || '-' || event.userid end as enrolment_id,
    case
        when event.eventname ~ 'user_logged(in|out|inas)$' then 'login'
        when event.component = 'mod_forum' then 'forum'
        when event.component in ('mod_quiz', 'mod_assign', 'mod_h5pactivity', 'mod_lesson') then 'exercise'
        else 'reading'
    end as kind,
    case when event.eventname ~ 'user_logged(in|out|inas)$' then 0 else 1 end as activity_count,
    null::numeric as duration_minutes,
    event.timecreated as started_at,
    event._load_id
from {log} as event
where event.userid not in ('0', '1')
