-- Question: How long does danger last, and how does it end, by the signal that opened it?
-- Returns: one row per signal: stretches of danger that began 90 days ago or more, how they ended, the share that
--   cleared, and the median of their days.
-- Caveat: a stretch goes on while any signal is open, so its length is not that of the signal that opened it (that is
--   closed_on - opened_on in fct_risk_signal). Stretches that are still open count as longer than all others.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

changes as (
    select
        transitions.customer_id,
        transitions.to_code,
        transitions.cause_id,
        transitions.transition_on as began_on,
        -- In the danger layer the next change is the end of the stretch.
        lead(transitions.transition_on) over danger as ended_on,
        lead(transitions.reason_code) over danger as end_reason
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'danger'
        and customers.is_reportable
    window danger as (partition by transitions.customer_id order by transitions.transition_on)
),

stretches as (
    select
        signals.signal_code,
        signals.priority,
        changes.end_reason,
        changes.ended_on - changes.began_on as days
    from changes
    inner join marts.fct_risk_signal as signals on signals.risk_signal_id = changes.cause_id
    cross join as_of
    where
        changes.to_code = 'danger'
        and changes.began_on + 90 <= as_of.day_on
)

select
    signal_code,
    count(*) filter (where end_reason = 'signals_cleared') as cleared,
    count(*) filter (where end_reason = 'run_ended') as run_ended,
    count(*) filter (where end_reason is null) as still_open,
    count(*) as stretches,
    round(cast(count(*) filter (where end_reason = 'signals_cleared') as numeric) / nullif(count(*), 0), 3)
        as cleared_rate,
    nullif(percentile_disc(0.5) within group (order by coalesce(days, 2147483647)), 2147483647) as median_days
from stretches
group by signal_code, priority
order by priority;
