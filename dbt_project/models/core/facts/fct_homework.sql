-- One row per learner and piece of homework that is due, or handed in before.
with

homework as (
    select * from {{ ref('stg_homework') }}
),

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

handed_in as (
    select
        homework.homework_id,
        scope.customer_id,
        coalesce(enrolments.campus_id, scope.campus_id) as campus_id,
        homework.enrolment_id,
        enrolments.course_id,
        enrolments.class_id,
        homework.lesson_id,
        homework.topic,
        homework.due_on,
        {{ once('homework.submitted_on', 'homework.submitted_on') }} as submitted_on,
        {{ once('homework.submitted_on', 'homework.submitted_at') }} as submitted_at,
        {{ once('homework.submitted_on', 'homework.score') }} as score
    from scope
    inner join homework on homework.learner_id = scope.learner_id
    left join enrolments on enrolments.enrolment_id = homework.enrolment_id
    where
        homework.due_on <= {{ as_of() }}
        or homework.submitted_on <= {{ as_of() }}
)

select
    homework_id,
    customer_id,
    campus_id,
    enrolment_id,
    course_id,
    class_id,
    lesson_id,
    topic,
    due_on,
    submitted_on,
    submitted_at,
    -- A day is over at the end of the build, so that what is due that day and not there is missing.
    case
        when submitted_on is null then 'missing'
        when submitted_on <= due_on then 'on_time'
        else 'late'
    end as submission_status,
    submitted_on is not null and submitted_on <= due_on as is_on_time,
    case when submitted_on is not null then greatest({{ days_between('due_on', 'submitted_on') }}, 0) end as days_late,
    score
from handed_in
