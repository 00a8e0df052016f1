-- What: in a month, revenue by customer and revenue by day differ.
-- Why it matters: value, retention of revenue and return on channels rest on revenue by customer.
-- What to do: take a lot of such a month and compare fct_revenue_movement and fct_period_revenue with both sides.
with

by_customer as (
    select
        month_on,
        sum(revenue_amount) as amount
    from {{ ref('int_customer_revenue_month') }}
    group by month_on
),

by_day as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        sum(recognised) as amount
    from {{ ref('fct_deferred_revenue_day') }}
    where currency = {{ reporting_currency() }}
    group by {{ start_of('month', 'day_on') }}
)

select
    coalesce(by_day.month_on, by_customer.month_on) as month_on,
    by_day.amount as amount_by_day,
    by_customer.amount as amount_by_customer
from by_day
full join by_customer on by_customer.month_on = by_day.month_on
where coalesce(by_customer.amount, 0) <> coalesce(by_day.amount, 0)
