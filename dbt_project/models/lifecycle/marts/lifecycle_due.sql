-- One row per customer for whom time alone changes something: the next such day after the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

days as (
    select
        customer_id,
        valid_from as due_on
    from {{ ref('int_base_stage') }}
    union all
    select
        customer_id,
        opened_on as due_on
    from {{ ref('int_signal_stretch') }}
    union all
    select
        customer_id,
        closed_on as due_on
    from {{ ref('int_signal_stretch') }}
    union all
    select
        customer_id,
        returning_on as due_on
    from {{ ref('int_run_milestone') }}
    union all
    -- Who had a day of a run this month gets a row of the next one: active still, or churned (fct_customer_month).
    select
        customer_id,
        {{ month_after(as_of()) }} as due_on
    from {{ ref('int_base_stage') }}
    where
        base_stage in ('onboarding', 'growth', 'mature')
        and valid_from <= {{ as_of() }}
        and valid_to > {{ start_of('month', as_of()) }}
)

select
    customer_id,
    min(due_on) as due_on
from days
where
    due_on > {{ as_of() }}
    -- What never comes is never due.
    and due_on < {{ far_day() }}
group by customer_id
