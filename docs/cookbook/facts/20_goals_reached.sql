-- Question: How many of the goals that came due in the last year were reached, by subject?
-- Returns: one row per subject, and a last row for all: goals due in the twelve months up to the day of the build by
--   what came of them, the share reached of those measured, and the mean gain over the score at the start.
-- Caveat: overdue goals were never measured; they are in neither part of the share. A goal measured after its day
--   counts as reached if the score was.
select
    case when grouping(goals.subject) = 1 then 'all' else goals.subject end as subject,
    count(*) as goals_due,
    count(*) filter (where goals.status = 'reached') as reached,
    count(*) filter (where goals.status = 'missed') as missed,
    count(*) filter (where goals.status = 'overdue') as overdue,
    round(count(*) filter (where goals.status = 'reached')::numeric / nullif(count(goals.actual_score), 0), 3)
        as reached_rate,
    round(avg(goals.gained_score), 1) as mean_gain
from marts.publication as published
inner join marts.fct_goal as goals
    on goals.due_on > published.as_of - interval '12 months' and goals.due_on <= published.as_of
inner join marts.dim_customer as customers on customers.customer_id = goals.customer_id
where
    published.is_current
    and customers.is_reportable
group by grouping sets ((goals.subject), ())
order by grouping(goals.subject), goals.subject;
