-- Question: Which customers lapse in the next 30 days unless they renew, by campus?
-- Returns: one row per campus, and a last row for all: customers in their days of grace by when these are over, those
--   of them with a behaviour or voice signal as well, and their share of the customers in a run.
-- Caveat: with 30 days of grace, who lapses within 30 days is in grace already; a campus with more has customers who
--   lapse later (not counted here), one with fewer has customers who are not in grace yet and are missing.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

in_runs as (
    select
        spans.customer_id,
        spans.campus_id
    from marts.fct_lifecycle_span as spans
    inner join marts.dim_customer as customers on customers.customer_id = spans.customer_id
    where
        spans.is_current
        and spans.phase_code = 'existing'
        and customers.is_reportable
),

lapsing as (
    select
        signals.customer_id,
        -- Gone on the day after the last served one.
        cast(signals.evidence ->> 'served_to' as date) + 1 - as_of.day_on as days_left
    from marts.fct_risk_signal as signals
    cross join as_of
    where
        signals.signal_code = 'lapsing'
        and signals.closed_on is null
        and cast(signals.evidence ->> 'served_to' as date) + 1 <= as_of.day_on + 30
),

unhappy as (
    select distinct customer_id  -- several signals may be open
    from marts.fct_risk_signal
    where
        closed_on is null
        and signal_class in ('behaviour', 'voice')
)

select
    case when grouping(in_runs.campus_id) = 1 then 'all' else coalesce(in_runs.campus_id, 'none') end as campus_id,
    count(*) filter (where lapsing.days_left <= 7) as in_7_days,
    count(*) filter (where lapsing.days_left between 8 and 14) as in_8_to_14_days,
    count(*) filter (where lapsing.days_left between 15 and 30) as in_15_to_30_days,
    count(lapsing.customer_id) as lapsing_students,
    count(*) filter (where lapsing.customer_id is not null and unhappy.customer_id is not null)
        as lapsing_with_other_signal_students,
    count(*) as active_students,
    round(cast(count(lapsing.customer_id) as numeric) / nullif(count(*), 0), 3) as lapsing_rate
from in_runs
left join lapsing on lapsing.customer_id = in_runs.customer_id
left join unhappy on unhappy.customer_id = in_runs.customer_id
group by grouping sets ((in_runs.campus_id), ())
order by grouping(in_runs.campus_id), in_runs.campus_id;
