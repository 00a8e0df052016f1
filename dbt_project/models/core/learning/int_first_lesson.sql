-- One row per customer with a lesson attended: which was the first, of all and since the first purchase.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select
        changed.customer_id,
        dim_customer.first_purchase_on
    from {{ ref('changed_customer') }} as changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = changed.customer_id
),

lessons as (
    select
        customers.customer_id,
        lessons.course_id,
        lessons.teacher_id,
        case
            when lessons.lesson_on >= customers.first_purchase_on then lessons.lesson_on
        end as lesson_since_purchase_on,
        row_number() over (
            partition by customers.customer_id order by lessons.lesson_at, lessons.attendance_id
        ) as lesson_no,
        row_number() over (
            partition by customers.customer_id, lessons.teacher_id is null
            order by lessons.lesson_at, lessons.attendance_id
        ) as taught_no
    from customers
    inner join {{ ref('fct_attendance') }} as lessons on lessons.customer_id = customers.customer_id
    where lessons.outcome_class = 'attended'
)

select
    customer_id,
    max(case when lesson_no = 1 then course_id end) as course_id,
    max(case when taught_no = 1 then teacher_id end) as teacher_id,
    min(lesson_since_purchase_on) as lesson_since_purchase_on
from lessons
group by customer_id
