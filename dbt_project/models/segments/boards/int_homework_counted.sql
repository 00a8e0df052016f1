-- One row per month, campus and class with homework of reportable customers that counts: its week is over.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

due as (
    select
        customer_id,
        month_on,
        campus_id,
        class_id,
        homework_due,
        homework_done
    from {{ ref('int_homework_month') }}
    union all
    -- Less that of the weeks that are not over: a day on which nobody need be computed anew ends them.
    select
        homework.customer_id,
        {{ start_of('month', 'homework.due_on') }} as month_on,
        coalesce(homework.campus_id, '') as campus_id,
        coalesce(homework.class_id, '') as class_id,
        -1 as homework_due,
        case when {{ is_homework_done('homework') }} then -1 else 0 end as homework_done
    from {{ ref('fct_homework') }} as homework
    where homework.due_on >= {{ start_of('week', add_days(as_of(), 1)) }}
)

select
    due.month_on,
    due.campus_id,
    due.class_id,
    cast(sum(due.homework_due) as integer) as homework_due,
    cast(sum(due.homework_done) as integer) as homework_done
from due
inner join customers on customers.customer_id = due.customer_id
group by due.month_on, due.campus_id, due.class_id
having sum(due.homework_due) > 0
