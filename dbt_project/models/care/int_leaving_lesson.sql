-- One row per customer and day of leaving with a lesson attended before it: who gave the last one.
with

leavings as (
    select
        transitions.customer_id,
        transitions.transition_on as left_on
    from {{ ref('changed_customer') }} as changed
    inner join {{ ref('fct_lifecycle_transition') }} as transitions on transitions.customer_id = changed.customer_id
    where
        transitions.layer = 'base'
        and transitions.to_code = 'terminated'
),

lessons as (
    select
        leavings.customer_id,
        leavings.left_on,
        attended.lesson_on,
        attended.teacher_id,
        row_number() over (
            partition by leavings.customer_id, leavings.left_on
            order by attended.lesson_at desc, attended.attendance_id desc
        ) as back_no
    from leavings
    inner join {{ ref('fct_attendance') }} as attended
        on
            attended.customer_id = leavings.customer_id
            and attended.lesson_on < leavings.left_on
    where
        attended.outcome_class = 'attended'
        and attended.teacher_id is not null
)

select
    customer_id,
    left_on,
    lesson_on,
    teacher_id
from lessons
where back_no = 1
