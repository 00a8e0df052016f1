-- Question: How many customers cost more to serve than they brought, in the last three months with costs booked?
-- Returns: one row per campus that taught, and a last row for all: customers served, those who cost more than they
--   brought, their share, and what they brought and cost.
-- Caveat: what a customer brought is revenue recognised and expired in these months, whatever was paid when; a gift or an
--   absence that consumes nothing brings none. The cost is a share by hours taught (seed cost_rules), not a bill.
with

months as (
    select month_on
    from marts.fct_campus_margin_month
    where
        has_costs
        and currency = 'CNY'
    group by month_on
    order by month_on desc
    limit 3
),

stretch as (
    select
        min(month_on) as first_on,
        cast(max(month_on) + interval '1 month' as date) - 1 as last_on
    from months
),

served as (
    select
        served.customer_id,
        -- Somebody taught at two campuses counts where most was spent.
        (array_agg(served.campus_id order by served.cost_amount desc, served.campus_id))[1] as campus_id,
        sum(served.cost_amount) as cost_amount
    from marts.fct_cost_to_serve_month as served
    inner join months on months.month_on = served.month_on
    where served.currency = 'CNY'
    group by served.customer_id
),

-- Periods earn by day: the days up to the end of a stretch less those before it, each rounded on the running total.
earned as (
    select
        periods.customer_id,
        round(
            periods.value_amount * (least(periods.last_on, stretch.last_on) - periods.starts_on + 1)
            / periods.total_days, 2
        )
        - round(
            periods.value_amount * (greatest(periods.first_on, stretch.first_on) - periods.starts_on)
            / periods.total_days, 2
        ) as amount
    from marts.fct_period_revenue as periods
    cross join stretch
    where
        periods.currency = 'CNY'
        and periods.first_on <= stretch.last_on
        and periods.last_on >= stretch.first_on
    union all
    select
        movements.customer_id,
        movements.amount
    from marts.fct_revenue_movement as movements
    cross join stretch
    where
        movements.measure in ('recognised', 'expired')
        and movements.currency = 'CNY'
        and movements.day_on between stretch.first_on and stretch.last_on
),

brought as (
    select
        customer_id,
        sum(amount) as revenue_amount
    from earned
    group by customer_id
),

compared as (
    select
        served.campus_id,
        served.cost_amount,
        coalesce(brought.revenue_amount, 0) as revenue_amount,
        served.cost_amount > coalesce(brought.revenue_amount, 0) as costs_more
    from served
    left join brought on brought.customer_id = served.customer_id
)

select
    case when grouping(campus_id) = 1 then 'all' else campus_id end as campus_id,
    count(*) as served_students,
    count(*) filter (where costs_more) as costing_more_students,
    round(cast(count(*) filter (where costs_more) as numeric) / nullif(count(*), 0), 3) as costing_more_rate,
    coalesce(sum(revenue_amount) filter (where costs_more), 0) as their_revenue_amount,
    coalesce(sum(cost_amount) filter (where costs_more), 0) as their_cost_amount
from compared
group by grouping sets ((campus_id), ())
order by grouping(campus_id), campus_id;
