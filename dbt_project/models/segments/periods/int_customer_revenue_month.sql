-- One row per customer, campus that sold and month with cash moved or revenue recognised, reporting currency.
with

days as (
    {{ days('(select min(first_contact_on) from ' ~ ref('dim_customer') ~ ')', as_of()) }}
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
    from {{ ref('fct_period_revenue') }} as period_revenue
    inner join months
        on
            months.month_on <= period_revenue.last_on
            and months.last_on >= period_revenue.first_on
    where period_revenue.currency = {{ reporting_currency() }}
),

moved as (
    select
        customer_id,
        campus_id,
        {{ start_of('month', 'day_on') }} as month_on,
        measure,
        amount
    from {{ ref('fct_revenue_movement') }}
    where
        measure in ('billings', 'refunds', 'recognised', 'expired')
        and day_on <= {{ as_of() }}
        and currency = {{ reporting_currency() }}
    union all
    select
        customer_id,
        campus_id,
        month_on,
        'recognised' as measure,
        {{ earned_amount('value_amount', 'days_after', 'total_days') }}
        - {{ earned_amount('value_amount', 'days_before', 'total_days') }} as amount
    from periods
)

select
    customer_id,
    campus_id,
    month_on,
    cast(sum(case when measure = 'billings' then amount else 0 end) as numeric(18, 2)) as billings_amount,
    cast(sum(case when measure = 'refunds' then amount else 0 end) as numeric(18, 2)) as refunds_amount,
    cast(sum(case when measure = 'recognised' then amount else 0 end) as numeric(18, 2)) as revenue_amount,
    cast(sum(case when measure = 'expired' then amount else 0 end) as numeric(18, 2)) as expired_amount
from moved
group by customer_id, campus_id, month_on
