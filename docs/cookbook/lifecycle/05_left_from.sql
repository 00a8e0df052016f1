-- Question: From which base stage do customers leave?
-- Returns: one row per base stage of a run: runs that reached it, runs that ended in it, their share, and how they
--   ended.
-- Caveat: runs that are still going stand in the denominator. Danger is not a stage to leave from: it lies over a
--   base stage, and whoever lapses is in danger to the end.
with

spans as (
    select spans.*
    from marts.fct_lifecycle_span as spans
    inner join marts.dim_customer as customers on customers.customer_id = spans.customer_id
    where customers.is_reportable
),

reached as (
    select
        base_stage,
        count(distinct (customer_id, run_no)) as runs
    from spans
    where phase_code = 'existing'
    group by base_stage
),

leavers as (
    select
        transitions.from_code as base_stage,
        count(*) as left_runs,
        count(*) filter (where transitions.reason_code = 'lapsed') as lapsed,
        count(*) filter (where transitions.reason_code = 'withdrew') as withdrew,
        count(*) filter (where transitions.reason_code = 'refunded') as refunded
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'base'
        and transitions.reason_code in ('lapsed', 'withdrew', 'refunded')
        and customers.is_reportable
    group by transitions.from_code
)

select
    reached.base_stage,
    coalesce(leavers.left_runs, 0) as left_runs,
    reached.runs as reached_runs,
    round(cast(coalesce(leavers.left_runs, 0) as numeric) / nullif(reached.runs, 0), 3) as left_rate,
    coalesce(leavers.lapsed, 0) as lapsed,
    coalesce(leavers.withdrew, 0) as withdrew,
    coalesce(leavers.refunded, 0) as refunded
from reached
inner join marts.dim_lifecycle_stage as stages on stages.stage_code = reached.base_stage
left join leavers on leavers.base_stage = reached.base_stage
order by stages.ordinal;
