-- Question: What is left of a campus's revenue once teaching is paid for, and once everything is?
-- Returns: one row per campus for the last three months with costs booked: revenue, costs by class, both margins, their
--   rates, and the cost of an hour taught.
-- Caveat: revenue is the campus's that sold, costs are the campus's that bears them. Costs of a month are booked in the
--   next one, so the last month or two are not in yet.
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

hours as (
    select
        served.campus_id,
        sum(served.hours_taught) as hours_taught,
        sum(served.cost_amount) as served_amount
    from marts.fct_cost_to_serve_month as served
    inner join months on months.month_on = served.month_on
    where served.currency = 'CNY'
    group by served.campus_id
),

margins as (
    select
        margins.campus_id,
        sum(margins.revenue_amount) as revenue_amount,
        sum(margins.direct_amount) as direct_amount,
        sum(margins.overhead_amount + margins.common_amount) as overhead_amount,
        sum(margins.acquisition_amount) as acquisition_amount,
        sum(margins.margin_amount) as margin_amount,
        sum(margins.operating_margin_amount) as operating_margin_amount
    from marts.fct_campus_margin_month as margins
    inner join months on months.month_on = margins.month_on
    where margins.currency = 'CNY'
    group by margins.campus_id
)

select
    margins.campus_id,
    margins.revenue_amount,
    margins.direct_amount,
    margins.overhead_amount,
    margins.acquisition_amount,
    margins.margin_amount,
    round(margins.margin_amount / nullif(margins.revenue_amount, 0), 3) as margin_rate,
    margins.operating_margin_amount,
    round(margins.operating_margin_amount / nullif(margins.revenue_amount, 0), 3) as operating_margin_rate,
    hours.hours_taught,
    round(hours.served_amount / nullif(hours.hours_taught, 0), 2) as cost_per_hour_taught
from margins
left join hours on hours.campus_id = margins.campus_id
order by margins.campus_id;
