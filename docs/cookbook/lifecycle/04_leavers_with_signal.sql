-- Question: What share of leavers had a behaviour or voice signal before, by reason?
-- Returns: one row per churn reason, and a last row for all: leavers, those with such a signal open on any of the last 90
--   days of the run, and their share.
-- Caveat: one row of the base counts one end of a run, so a customer who left twice counts twice. The signal `lapsing`
--   is left out: whoever lapses had it. Where nobody told the reason, an open voice signal is what made it `dissatisfied`:
--   that share says nothing there (inferred_leavers).
with

leavers as (
    select
        transitions.customer_id,
        transitions.run_no,
        transitions.transition_on as left_on,
        transitions.churn_reason,
        transitions.is_churn_reason_inferred
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'base'
        and transitions.reason_code in ('lapsed', 'withdrew', 'refunded')
        and customers.is_reportable
),

judged as (
    select
        leavers.churn_reason,
        leavers.is_churn_reason_inferred,
        exists (
            select 1
            from marts.fct_risk_signal as signals
            where
                signals.customer_id = leavers.customer_id
                and signals.run_no = leavers.run_no
                and signals.signal_class in ('behaviour', 'voice')
                and signals.opened_on < leavers.left_on
                -- A signal ends with its run at the latest, so closed_on is never null here.
                and signals.closed_on > leavers.left_on - 90
        ) as had_signal
    from leavers
)

select
    coalesce(churn_reason, 'all') as churn_reason,
    count(*) filter (where had_signal) as leavers_with_signal,
    count(*) as leavers,
    round(cast(count(*) filter (where had_signal) as numeric) / nullif(count(*), 0), 3) as with_signal_rate,
    count(*) filter (where is_churn_reason_inferred) as inferred_leavers
from judged
group by grouping sets ((churn_reason), ())
order by grouping(churn_reason), leavers desc, churn_reason collate "C"
