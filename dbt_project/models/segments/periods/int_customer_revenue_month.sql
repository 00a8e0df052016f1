-- One row per customer, campus that sold and month with cash moved or revenue recognised, reporting currency.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_revenue') }}
),

days as (
    {{ days('(select min(first_contact_on) from ' ~ ref('int_customer_home') ~ ')', as_of()) }}
),

months as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        max(day_on) as last_on
    from days
    group by {{ start_of('month', 'day_on') }}
),

periods as (
    select
        period_revenue.customer_id,
        period_revenue.campus_id,
        months.month_on,
        period_revenue.value_amount,
        period_revenue.total_days,
        {{ days_between('period_revenue.starts_on', 'greatest(period_revenue.first_on, months.month_on)') }}
            as days_before,
        {{ days_between('period_revenue.starts_on', 'least(period_revenue.last_on, months.last_on)') }}
        + 1 as days_after
    from changed
    inner join {{ ref('fct_period_revenue') }} as period_revenue on period_revenue.customer_id = changed.customer_id
    inner join months
        on
            months.month_on <= period_revenue.last_on
            and months.last_on >= period_revenue.first_on
    where period_revenue.currency = {{ reporting_currency() }}
),

earned as (
    select
        movements.customer_id,
        movements.campus_id,
        movements.month_on,
        movements.billings_amount,
        movements.refunds_amount,
        movements.recognised_amount,
        movements.expired_amount
    from changed
    inner join {{ ref('int_movement_month') }} as movements on movements.customer_id = changed.customer_id
    union all
    select
        customer_id,
        campus_id,
        month_on,
        0 as billings_amount,
        0 as refunds_amount,
        {{ earned_amount('value_amount', 'days_after', 'total_days') }}
        - {{ earned_amount('value_amount', 'days_before', 'total_days') }} as recognised_amount,
        0 as expired_amount
    from periods
)

select
    customer_id,
    campus_id,
    month_on,
    cast(sum(billings_amount) as numeric(18, 2)) as billings_amount,
    cast(sum(refunds_amount) as numeric(18, 2)) as refunds_amount,
    cast(sum(recognised_amount) as numeric(18, 2)) as revenue_amount,
    cast(sum(expired_amount) as numeric(18, 2)) as expired_amount
from earned
group by customer_id, campus_id, month_on
