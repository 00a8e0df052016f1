-- One row per row of studentVle: a student's clicks on one page on one day. Equal rows are several sessions.
select
    activity.file_id || '-' || activity.row_number as session_id,
    activity.id_student as learner_id,
    activity.code_module || '-' || activity.code_presentation || '-' || activity.id_student as enrolment_id,
    case
        when page.activity_type in (
            'quiz', 'externalquiz', 'questionnaire', 'repeatactivity', 'htmlactivity', 'dataplus'
        ) then 'exercise'
        when page.activity_type in ('forumng', 'ouwiki') then 'forum'
        when page.activity_type in ('oucollaborate', 'ouelluminate') then 'video'
        else 'reading'
    end as kind,
    activity.sum_click as activity_count,
    null::numeric as duration_minutes,
    -- Only the day is known. Noon UTC is on that day in every zone from UTC-11 to UTC+11.
    (
        make_date(
            left(activity.code_presentation, 4)::integer,
            case right(activity.code_presentation, 1) when 'B' then 2 else 10 end,
            1
        ) + activity.day + time '12:00'
    ) at time zone 'UTC' as started_at,
    activity._load_id
from {student_vle} as activity
left join {vle} as page on activity.id_site = page.id_site
