-- One row per customer, month, campus and class with homework due, today or later.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

homework as (
    select
        changed.customer_id,
        {{ start_of('month', 'homework.due_on') }} as month_on,
        -- Part of the key: empty text where none is known.
        coalesce(homework.campus_id, '') as campus_id,
        coalesce(homework.class_id, '') as class_id,
        {{ is_homework_done('homework') }} as is_done
    from changed
    inner join {{ ref('fct_homework') }} as homework on homework.customer_id = changed.customer_id
)

select
    customer_id,
    month_on,
    campus_id,
    class_id,
    cast(count(*) as integer) as homework_due,
    cast(count(case when is_done then 1 end) as integer) as homework_done
from homework
group by customer_id, month_on, campus_id, class_id
