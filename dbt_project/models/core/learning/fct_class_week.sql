-- One row per class and week with a lesson or homework due: what its learners did, added up.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_class') }}
),

weeks as (
    select * from {{ ref('fct_learning_week_class') }}
)

select
    weeks.class_id,
    min(weeks.campus_id) as campus_id,
    weeks.week_on,
    cast(count(*) as integer) as learners,
    cast(sum(weeks.scheduled_seats) as integer) as scheduled_seats,
    cast(sum(weeks.attended_seats) as integer) as attended_seats,
    cast(sum(weeks.absent_seats) as integer) as absent_seats,
    cast(sum(weeks.leave_seats) as integer) as leave_seats,
    cast(sum(weeks.attended_hours) as numeric(12, 2)) as attended_hours,
    cast(sum(weeks.homework_due) as integer) as homework_due,
    cast(sum(weeks.homework_on_time) as integer) as homework_on_time,
    cast(sum(weeks.homework_late) as integer) as homework_late,
    cast(sum(weeks.homework_marked) as integer) as homework_marked,
    sum(weeks.homework_points) as homework_points,
    round(cast(sum(weeks.attended_seats) as numeric) / nullif(sum(weeks.scheduled_seats - weeks.leave_seats), 0), 4)
        as attendance_rate,
    round(cast(sum(weeks.homework_on_time) as numeric) / nullif(sum(weeks.homework_due), 0), 4) as homework_on_time_rate
from changed
inner join weeks on weeks.class_id = changed.class_id
group by weeks.class_id, weeks.week_on
