-- What: the shares of customers do not add up to what a campus, or the institution, booked for teaching in a month in
-- which somebody was taught.
-- Why it matters: the cost to serve is too high or too low for somebody, and margins by customer belie those by campus.
-- What to do: see the running totals in fct_cost_to_serve_month; a customer with hours at the campus was left out or
-- counted twice.
with

hours as (
    select
        campus_id,
        month_on
    from {{ ref('int_taught_hours_month') }}
    group by campus_id, month_on
),

months as (
    select month_on
    from hours
    group by month_on
),

booked as (
    select
        costs.campus_id,
        costs.month_on,
        costs.currency,
        sum(costs.cost_amount) as amount
    from {{ ref('fct_operating_cost') }} as costs
    inner join hours
        on
            hours.campus_id = costs.campus_id
            and hours.month_on = costs.month_on
    where costs.driver = 'hours'
    group by costs.campus_id, costs.month_on, costs.currency
    union all
    select
        'all' as campus_id,
        costs.month_on,
        costs.currency,
        sum(costs.cost_amount) as amount
    from {{ ref('fct_operating_cost') }} as costs
    inner join months on months.month_on = costs.month_on
    where
        costs.driver = 'hours'
        and costs.campus_id is null
    group by costs.month_on, costs.currency
),

served as (
    select
        campus_id,
        month_on,
        currency,
        sum(direct_amount + overhead_amount) as amount
    from {{ ref('fct_cost_to_serve_month') }}
    group by campus_id, month_on, currency
    union all
    select
        'all' as campus_id,
        month_on,
        currency,
        sum(common_amount) as amount
    from {{ ref('fct_cost_to_serve_month') }}
    group by month_on, currency
)

select
    coalesce(booked.campus_id, served.campus_id) as campus_id,
    coalesce(booked.month_on, served.month_on) as month_on,
    coalesce(booked.currency, served.currency) as currency,
    booked.amount as booked_amount,
    served.amount as served_amount
from booked
full join served
    on
        served.campus_id = booked.campus_id
        and served.month_on = booked.month_on
        and served.currency = booked.currency
where coalesce(booked.amount, 0) <> coalesce(served.amount, 0)
