-- One row per piece of homework of a customer.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

homework as (
    select * from {{ ref('fct_homework') }}
)

select
    homework.customer_id,
    homework.homework_id,
    homework.due_on,
    homework.submitted_on
from changed
inner join homework on homework.customer_id = changed.customer_id
{% if var('purchase_event') == 'enrolment' %}
    left join {{ ref('fct_enrolment') }} as enrolments on enrolments.enrolment_id = homework.enrolment_id
    -- The enrolment is the line: what is due outside it was not asked of this learner any more, or not yet.
    where
        homework.enrolment_id is null
        or (
            homework.due_on >= enrolments.enrolled_on
            and (enrolments.ends_on is null or homework.due_on <= enrolments.ends_on)
            and (enrolments.withdrawn_on is null or homework.due_on < enrolments.withdrawn_on)
        )
{% endif %}
