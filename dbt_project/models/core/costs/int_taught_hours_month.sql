-- One row per customer, campus that taught and month: hours attended.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

attendance as (
    select fct_attendance.*
    from changed
    inner join {{ ref('fct_attendance') }} as fct_attendance on fct_attendance.customer_id = changed.customer_id
    where fct_attendance.outcome_class = 'attended'
),

by_month as (
    select
        customer_id,
        campus_id,
        {{ start_of('month', 'lesson_on') }} as month_on,
        sum(hours) as hours
    from attendance
    group by customer_id, campus_id, {{ start_of('month', 'lesson_on') }}
)

select
    customer_id,
    campus_id,
    month_on,
    cast(hours as numeric(10, 2)) as hours
from by_month
where hours > 0
