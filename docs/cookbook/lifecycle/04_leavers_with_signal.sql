-- Question: What share of leavers had a behaviour or voice signal before, by reason?
-- Returns: one row per churn reason, one for all leavers, and for comparison one for the customers in a run now:
--   runs, those with such a signal open on any of the last 90 days (of the run, or up to the day of the build), and
--   their share.
-- Caveat: the share of leavers says something only beside that of those who stayed. Counted are runs: who left twice
--   counts twice. The signal `lapsing` is left out: whoever lapses had it. Where nobody told the reason
--   (inferred_runs), an open voice signal is what made it `dissatisfied`: there the share is 1 by definition.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

runs as (
    select
        transitions.customer_id,
        transitions.run_no,
        1 as place,
        transitions.churn_reason,
        transitions.transition_on as until_on,
        transitions.is_churn_reason_inferred
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'base'
        and transitions.reason_code in ('lapsed', 'withdrew', 'refunded')
        and customers.is_reportable
    union all
    select
        spans.customer_id,
        spans.run_no,
        3 as place,
        'still here' as churn_reason,
        as_of.day_on + 1 as until_on,
        false as is_churn_reason_inferred
    from marts.fct_lifecycle_span as spans
    inner join marts.dim_customer as customers on customers.customer_id = spans.customer_id
    cross join as_of
    where
        spans.is_current
        and spans.phase_code = 'existing'
        and customers.is_reportable
),

judged as (
    select
        runs.place,
        runs.churn_reason,
        runs.is_churn_reason_inferred,
        exists (
            select 1
            from marts.fct_risk_signal as signals
            where
                signals.customer_id = runs.customer_id
                and signals.run_no = runs.run_no
                and signals.signal_class in ('behaviour', 'voice')
                and signals.opened_on < runs.until_on
                and (signals.closed_on is null or signals.closed_on > runs.until_on - 90)
        ) as had_signal
    from runs
),

counted as (
    select * from judged
    union all
    select
        2 as place,
        'all leavers' as churn_reason,
        is_churn_reason_inferred,
        had_signal
    from judged
    where place = 1
)

select
    churn_reason,
    count(*) filter (where had_signal) as runs_with_signal,
    count(*) as runs,
    round(cast(count(*) filter (where had_signal) as numeric) / nullif(count(*), 0), 3) as with_signal_rate,
    count(*) filter (where is_churn_reason_inferred) as inferred_runs
from counted
group by place, churn_reason
order by place, runs desc, churn_reason collate "C";
