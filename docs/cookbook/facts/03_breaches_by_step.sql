-- Question: In which step between enquiry and renewal are most deadlines missed?
-- Returns: one row per step with a deadline, entered in the last year: how many were entered, how many are over and how
--   many missed their deadline, the share among those that are over or late, and the median of days.
-- Caveat: a step counts once per lead or customer, when it is first entered. Steps that are open and in time can still
--   be missed and are left out of the rate. `given_up` and `left` end a step as well as the next one.
select
    steps.step_no,
    steps.step_code,
    count(*) as entered,
    count(steps.left_on) as ended,
    count(*) filter (where steps.is_breached) as breached,
    round(
        count(*) filter (where steps.is_breached)::numeric
        / nullif(count(*) filter (where steps.is_breached or steps.left_on is not null), 0), 3
    ) as breach_rate,
    percentile_disc(0.5) within group (order by steps.days) as median_days
from marts.fct_process_step as steps
inner join marts.dim_customer as customers on customers.customer_id = steps.customer_id
cross join marts.publication
where
    publication.is_current
    and customers.is_reportable
    and steps.due_on is not null
    and steps.entered_on > publication.as_of - 365
group by steps.step_no, steps.step_code
order by steps.step_no;
