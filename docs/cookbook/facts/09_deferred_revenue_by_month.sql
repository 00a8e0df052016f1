-- Question: How did deferred revenue move in each of the last six months, by campus?
-- Returns: one row per campus and month: opening, what came in, what went back, what was earned, what expired, closing.
-- Caveat: the last month goes up to the day of the build. Every row adds up to the cent: opening + billings - refunds -
--   recognised - expired = closing. One currency at a time; write another in place of CNY.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

days as (
    select
        deferred.*,
        cast(date_trunc('month', deferred.day_on) as date) as month_on
    from marts.fct_deferred_revenue_day as deferred
    cross join as_of
    where
        deferred.currency = 'CNY'
        and deferred.day_on >= date_trunc('month', as_of.day_on) - interval '5 months'
),

-- A balance is not added up over days: the month opens with its first day, and closes with its last.
edges as (
    select
        month_on,
        min(day_on) as first_on,
        max(day_on) as last_on
    from days
    group by month_on
)

select
    days.campus_id,
    days.month_on,
    sum(days.opening) filter (where days.day_on = edges.first_on) as opening,
    sum(days.billings) as billings,
    sum(days.refunds) as refunds,
    sum(days.recognised) as recognised,
    sum(days.expired) as expired,
    sum(days.closing) filter (where days.day_on = edges.last_on) as closing
from days
inner join edges on edges.month_on = days.month_on
group by days.campus_id, days.month_on
order by days.campus_id, days.month_on;
