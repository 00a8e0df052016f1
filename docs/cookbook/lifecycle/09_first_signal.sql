-- Question: Which signal opens first before a customer leaves, and how many days ahead?
-- Returns: one row per signal, and one for none: leavers for whom it was the first to open in the last 90 days of the
--   run, their share of all leavers, and the median of days from its opening to the first day gone.
-- Caveat: of two that opened on one day the one of higher priority counts. A signal that had been open for longer
--   than 90 days is not the first of them. `lapsing` opens at most the days of grace ahead, by definition.
with

leavers as (
    select
        transitions.customer_id,
        transitions.run_no,
        transitions.transition_on as left_on
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'base'
        and transitions.reason_code in ('lapsed', 'withdrew', 'refunded')
        and customers.is_reportable
),

signals as (
    select
        leavers.customer_id,
        leavers.run_no,
        signals.signal_code,
        signals.priority,
        leavers.left_on - signals.opened_on as days_ahead,
        row_number() over (
            partition by leavers.customer_id, leavers.run_no
            order by signals.opened_on, signals.priority
        ) as place
    from leavers
    inner join marts.fct_risk_signal as signals
        on
            signals.customer_id = leavers.customer_id
            and signals.run_no = leavers.run_no
            and signals.opened_on >= leavers.left_on - 90
),

firsts as (
    select
        coalesce(signals.signal_code, 'none') as signal_code,
        signals.priority,
        signals.days_ahead
    from leavers
    left join signals
        on
            signals.customer_id = leavers.customer_id
            and signals.run_no = leavers.run_no
            and signals.place = 1
)

select
    signal_code,
    count(*) as leavers,
    sum(count(*)) over () as all_leavers,
    round(count(*) / nullif(sum(count(*)) over (), 0), 3) as leavers_share,
    percentile_disc(0.5) within group (order by days_ahead) as median_days_ahead
from firsts
group by signal_code, priority
order by priority nulls last;
