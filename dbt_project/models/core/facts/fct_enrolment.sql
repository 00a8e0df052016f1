-- One row per learner and class or course taken.
with

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
),

seats as (
    select
        fct_attendance.enrolment_id,
        fct_attendance.customer_id,
        min(fct_attendance.lesson_on) as first_attended_on,
        max(fct_attendance.lesson_on) as last_attended_on,
        count(*) as attended_seats,
        sum(fct_attendance.hours) as attended_hours
    from changed
    inner join {{ ref('fct_attendance') }} as fct_attendance on fct_attendance.customer_id = changed.customer_id
    where fct_attendance.outcome_class = 'attended'
    group by fct_attendance.enrolment_id, fct_attendance.customer_id
),

numbered as (
    select
        enrolments.*,
        scope.customer_id,
        row_number() over (
            partition by scope.customer_id
            order by enrolments.enrolled_on, enrolments.starts_on, enrolments.enrolment_id
        ) as enrolment_no,
        case
            when enrolments.order_line_id is not null
                then
                    lag(enrolments.enrolment_id) over (
                        partition by scope.customer_id, enrolments.order_line_id
                        order by enrolments.enrolled_on, enrolments.starts_on, enrolments.enrolment_id
                    )
        end as continues_enrolment_id
    from scope
    inner join enrolments on enrolments.learner_id = scope.learner_id
    where enrolments.enrolled_on <= {{ as_of() }}
)

select
    numbered.enrolment_id,
    numbered.customer_id,
    numbered.campus_id,
    numbered.course_id,
    numbered.class_id,
    numbered.order_line_id,
    numbered.delivery,
    case
        when numbered.withdrawn_on <= {{ as_of() }} then 'withdrawn'
        when numbered.completed_on <= {{ as_of() }} then 'completed'
        else 'active'
    end as status,
    cast(numbered.enrolment_no as integer) as enrolment_no,
    numbered.continues_enrolment_id,
    numbered.enrolled_on,
    numbered.starts_on,
    numbered.ends_on,
    seats.first_attended_on,
    seats.last_attended_on,
    cast(coalesce(seats.attended_seats, 0) as integer) as attended_seats,
    coalesce(seats.attended_hours, 0) as attended_hours,
    {{ once('numbered.withdrawn_on', 'numbered.withdrawn_on') }} as withdrawn_on,
    {{ once('numbered.withdrawn_on', 'numbered.withdrawal_reason') }} as withdrawal_reason,
    {{ once('numbered.completed_on', 'numbered.completed_on') }} as completed_on,
    {{ once('coalesce(numbered.completed_on, numbered.withdrawn_on, numbered.ends_on)', 'numbered.result') }} as result
from numbered
left join seats
    on
        seats.enrolment_id = numbered.enrolment_id
        and seats.customer_id = numbered.customer_id
