-- What: the campuses' revenue or costs of a month are not what the books and the bookings say.
-- Why it matters: a margin that leaves out a cost, or counts one twice, is believed.
-- What to do: compare fct_campus_margin_month by campus with fct_deferred_revenue_day and fct_operating_cost.
with

told as (
    select
        month_on,
        currency,
        sum(revenue_amount) as revenue_amount,
        sum(cost_amount) as cost_amount
    from {{ ref('fct_campus_margin_month') }}
    group by month_on, currency
),

moved as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        currency,
        recognised + expired as revenue_amount,
        0 as cost_amount
    from {{ ref('fct_deferred_revenue_day') }}
    union all
    select
        month_on,
        currency,
        0 as revenue_amount,
        cost_amount
    from {{ ref('fct_operating_cost') }}
),

kept as (
    select
        month_on,
        currency,
        sum(revenue_amount) as revenue_amount,
        sum(cost_amount) as cost_amount
    from moved
    group by month_on, currency
)

select
    coalesce(told.month_on, kept.month_on) as month_on,
    coalesce(told.currency, kept.currency) as currency
from told
full join kept
    on
        kept.month_on = told.month_on
        and kept.currency = told.currency
where
    coalesce(told.revenue_amount, 0) <> coalesce(kept.revenue_amount, 0)
    or coalesce(told.cost_amount, 0) <> coalesce(kept.cost_amount, 0)
