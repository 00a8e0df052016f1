-- One row per lesson outcome of a customer.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

attendance as (
    select * from {{ ref('fct_attendance') }}
)

select
    attendance.customer_id,
    {% if var('purchase_event') == 'enrolment' %}
        attendance.enrolment_id as line_id,
    {% else %}
        enrolments.order_line_id as line_id,
    {% endif %}
    attendance.attendance_id as outcome_id,
    attendance.lesson_at,
    attendance.outcome_class as outcome,
    attendance.hours
from changed
inner join attendance on attendance.customer_id = changed.customer_id
{% if var('purchase_event') != 'enrolment' %}
    left join {{ ref('fct_enrolment') }} as enrolments on enrolments.enrolment_id = attendance.enrolment_id
{% endif %}
