-- Question: What share of leavers came back within 180 days, by the class of their reason?
-- Returns: one row per class, and a last row for all: leavers whose 180 days have passed, those who bought again in
--   them, their share; and the leavers whose window is still open, who are judged later.
-- Caveat: counted are ends of runs. The window runs from the last day of the run. A gift wins nobody back.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

leavers as (
    select
        transitions.customer_id,
        transitions.run_no,
        transitions.churn_reason_class,
        transitions.transition_on - 1 as last_on
    from marts.fct_lifecycle_transition as transitions
    inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
    where
        transitions.layer = 'base'
        and transitions.reason_code in ('lapsed', 'withdrew', 'refunded')
        and customers.is_reportable
),

judged as (
    select
        leavers.churn_reason_class,
        leavers.last_on + 180 <= as_of.day_on as is_mature,
        won_back.customer_id is not null as is_back
    from leavers
    cross join as_of
    left join marts.fct_lifecycle_transition as won_back
        on
            won_back.customer_id = leavers.customer_id
            and won_back.reason_code = 'won_back'
            and won_back.run_no = leavers.run_no + 1
            and won_back.transition_on <= leavers.last_on + 180
)

select
    coalesce(churn_reason_class, 'all') as churn_reason_class,
    count(*) filter (where is_mature and is_back) as won_back,
    count(*) filter (where is_mature) as leavers,
    round(
        cast(count(*) filter (where is_mature and is_back) as numeric) / nullif(count(*) filter (where is_mature), 0), 3
    ) as win_back_rate,
    count(*) filter (where not is_mature) as leavers_not_yet_judged
from judged
group by grouping sets ((churn_reason_class), ())
order by grouping(churn_reason_class), churn_reason_class collate "C";
