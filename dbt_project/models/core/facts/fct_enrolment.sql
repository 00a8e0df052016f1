-- One row per learner and class or course taken.
with

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    enrolments.enrolment_id,
    scope.customer_id,
    enrolments.campus_id,
    enrolments.course_id,
    enrolments.class_id,
    enrolments.order_line_id,
    enrolments.delivery,
    case
        when enrolments.withdrawn_on <= {{ as_of() }} then 'withdrawn'
        when enrolments.completed_on <= {{ as_of() }} then 'completed'
        else 'active'
    end as status,
    enrolments.enrolled_on,
    enrolments.starts_on,
    enrolments.ends_on,
    {{ once('enrolments.withdrawn_on', 'enrolments.withdrawn_on') }} as withdrawn_on,
    {{ once('enrolments.withdrawn_on', 'enrolments.withdrawal_reason') }} as withdrawal_reason,
    {{ once('enrolments.completed_on', 'enrolments.completed_on') }} as completed_on,
    {{ once('coalesce(enrolments.completed_on, enrolments.withdrawn_on, enrolments.ends_on)', 'enrolments.result') }}
        as result
from scope
inner join enrolments on enrolments.learner_id = scope.learner_id
where enrolments.enrolled_on <= {{ as_of() }}
