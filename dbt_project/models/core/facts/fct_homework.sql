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
)

select
    homework.homework_id,
    scope.customer_id,
    coalesce(enrolments.campus_id, scope.campus_id) as campus_id,
    homework.enrolment_id,
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
