-- One row per customer, class and week with a lesson of the class or homework due.
-- depends_on: {{ ref('changed_class') }} (reads what stands here before it is replaced)
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

facts as (
    select
        changed.customer_id,
        seats.campus_id,
        seats.class_id,
        {{ start_of('week', 'seats.lesson_on') }} as week_on,
        1 as scheduled_seats,
        case when seats.outcome_class = 'attended' then 1 else 0 end as attended_seats,
        case when seats.outcome = 'late' then 1 else 0 end as late_seats,
        case when seats.outcome = 'left_early' then 1 else 0 end as left_early_seats,
        case when seats.outcome = 'made_up' then 1 else 0 end as made_up_seats,
        case when seats.outcome = 'absent' then 1 else 0 end as absent_seats,
        case when seats.outcome = 'leave' then 1 else 0 end as leave_seats,
        case when seats.outcome_class = 'attended' then seats.hours else 0 end as attended_hours,
        0 as homework_due,
        0 as homework_on_time,
        0 as homework_late,
        0 as homework_marked,
        0 as homework_points
    from changed
    inner join {{ ref('fct_attendance') }} as seats on seats.customer_id = changed.customer_id
    union all
    select
        changed.customer_id,
        homework.campus_id,
        homework.class_id,
        {{ start_of('week', 'homework.due_on') }} as week_on,
        0 as scheduled_seats,
        0 as attended_seats,
        0 as late_seats,
        0 as left_early_seats,
        0 as made_up_seats,
        0 as absent_seats,
        0 as leave_seats,
        0 as attended_hours,
        1 as homework_due,
        case when homework.submission_status = 'on_time' then 1 else 0 end as homework_on_time,
        case when homework.submission_status = 'late' then 1 else 0 end as homework_late,
        case when homework.score is not null then 1 else 0 end as homework_marked,
        coalesce(homework.score, 0) as homework_points
    from changed
    inner join {{ ref('fct_homework') }} as homework on homework.customer_id = changed.customer_id
    where
        homework.class_id is not null
        and homework.due_on <= {{ as_of() }}
)

select
    customer_id || ':' || class_id || ':' || cast(week_on as {{ dbt.type_string() }}) as learning_week_class_id,
    customer_id,
    -- Lessons of a class may be given at more than one campus.
    min(campus_id) as campus_id,
    class_id,
    week_on,
    cast(sum(scheduled_seats) as integer) as scheduled_seats,
    cast(sum(attended_seats) as integer) as attended_seats,
    cast(sum(late_seats) as integer) as late_seats,
    cast(sum(left_early_seats) as integer) as left_early_seats,
    cast(sum(made_up_seats) as integer) as made_up_seats,
    cast(sum(absent_seats) as integer) as absent_seats,
    cast(sum(leave_seats) as integer) as leave_seats,
    cast(sum(attended_hours) as numeric(10, 2)) as attended_hours,
    cast(sum(homework_due) as integer) as homework_due,
    cast(sum(homework_on_time) as integer) as homework_on_time,
    cast(sum(homework_late) as integer) as homework_late,
    cast(sum(homework_marked) as integer) as homework_marked,
    cast(sum(homework_points) as numeric) as homework_points
from facts
group by customer_id, class_id, week_on
