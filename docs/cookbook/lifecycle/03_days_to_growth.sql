-- Question: How many days pass from the first purchase to growth, by channel?
-- Returns: one row per channel: customers who first bought 180 days ago or more, how many of them reached growth
--   within 180 days, and the median of days over all of them.
-- Caveat: whoever has not reached growth counts as never, so the median is null where fewer than half did. A median
--   over those who did would make a channel that keeps few look fast.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

first_purchases as (
    select
        transitions.customer_id,
        coalesce(customers.acquisition_channel, 'unknown') as channel_code,
        transitions.transition_on as bought_on
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    cross join as_of
    where
        transitions.reason_code = 'first_purchase'
        and customers.is_reportable
        and transitions.transition_on + 180 <= as_of.day_on
),

grown as (
    select
        customer_id,
        transition_on as grown_on
    from marts.fct_lifecycle_transition
    -- Straight to mature is growth as well.
    where
        layer = 'base'
        and from_code = 'onboarding'
        and to_code in ('growth', 'mature')
),

cohort as (
    select
        first_purchases.channel_code,
        grown.grown_on - first_purchases.bought_on as days
    from first_purchases
    left join grown
        on
            grown.customer_id = first_purchases.customer_id
            and grown.grown_on <= first_purchases.bought_on + 180
)

select
    channel_code,
    count(days) as reached_students,
    count(*) as first_purchase_students,
    round(cast(count(days) as numeric) / nullif(count(*), 0), 3) as reached_rate,
    nullif(percentile_disc(0.5) within group (order by coalesce(days, 2147483647)), 2147483647) as median_days
from cohort
group by channel_code
order by channel_code collate "C";
