-- One row per customer and month with a day of a run, and the month after the last such month (churned).
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select * from {{ ref('int_first_fact') }}
),

spans as (
    select * from {{ ref('fct_lifecycle_span') }}
),

base_stages as (
    select * from {{ ref('int_base_stage') }}
    where
        base_stage in ('onboarding', 'growth', 'mature')
        and valid_from <= {{ as_of() }}
),

days as (
    {{ days('(select min(valid_from) from ' ~ ref('fct_lifecycle_span') ~ ')', as_of()) }}
),

months as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        max(day_on) as last_on,
        -- The month as a number, so that the next one is one more.
        row_number() over (order by {{ start_of('month', 'day_on') }}) as month_no
    from days
    group by {{ start_of('month', 'day_on') }}
),

runs as (
    select
        customer_id,
        run_no,
        min(valid_from) as first_on,
        least(max({{ add_days('valid_to', -1) }}), {{ as_of() }}) as last_on
    from base_stages
    group by customer_id, run_no
),

active as (
    select
        runs.customer_id,
        months.month_no
    from runs
    inner join months
        on
            months.month_on <= runs.last_on
            and months.last_on >= runs.first_on
    -- A month may hold the end of one run and the beginning of the next.
    group by runs.customer_id, months.month_no
),

in_order as (
    select
        customer_id,
        month_no,
        lag(month_no) over (partition by customer_id order by month_no) as month_no_before,
        lead(month_no) over (partition by customer_id order by month_no) as month_no_after
    from active
),

states as (
    select
        customer_id,
        month_no,
        case
            when month_no_before is null then 'new'
            when month_no_before = month_no - 1 then 'retained'
            else 'resurrected'
        end as growth_state
    from in_order
    union all
    -- The month after, where it has begun (months knows no other).
    select
        customer_id,
        month_no + 1 as month_no,
        'churned' as growth_state
    from in_order
    where
        month_no_after is null
        or month_no_after > month_no + 1
)

select
    states.customer_id,
    customers.campus_id,
    months.month_on,
    spans.stage_code,
    spans.base_stage,
    states.growth_state
from states
inner join customers on customers.customer_id = states.customer_id
inner join months on months.month_no = states.month_no
inner join spans
    on
        spans.customer_id = states.customer_id
        and spans.valid_from <= months.last_on
        and (spans.valid_to is null or spans.valid_to > months.last_on)
