-- One row per customer, month, campus, class, course and teacher with a seat in a lesson held.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

seats as (
    select
        changed.customer_id,
        {{ start_of('month', 'lessons.lesson_on') }} as month_on,
        lessons.campus_id,
        lessons.class_id,
        -- Part of the key: empty text where none is known.
        coalesce(lessons.course_id, '') as course_id,
        coalesce(lessons.teacher_id, '') as teacher_id,
        lessons.outcome_class,
        lessons.hours
    from changed
    inner join {{ ref('fct_attendance') }} as lessons on lessons.customer_id = changed.customer_id
)

select
    customer_id,
    month_on,
    campus_id,
    class_id,
    course_id,
    teacher_id,
    cast(count(case when outcome_class = 'attended' then 1 end) as integer) as attended_seats,
    cast(count(case when outcome_class = 'absent' then 1 end) as integer) as absent_seats,
    cast(count(case when outcome_class = 'leave' then 1 end) as integer) as leave_seats,
    cast(coalesce(sum(case when outcome_class = 'attended' then hours end), 0) as numeric(12, 2)) as attended_hours
from seats
group by customer_id, month_on, campus_id, class_id, course_id, teacher_id
