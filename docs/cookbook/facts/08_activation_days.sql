-- Question: How many days pass from the purchase to the first lesson, and does a good handover shorten it?
-- Returns: one row per campus and whether documents, account and timetable were all there, of handovers in the last year
--   that are at least 30 days old: how many, how many have begun, the median and the 90th percentile of days.
-- Caveat: a first lesson is one that was attended, or a study day in self-paced courses. Those who have not begun are in
--   the count and not in the days.
select
    coalesce(handovers.campus_id, 'none') as campus_id,
    handovers.is_activated,
    count(*) as handovers,
    count(handovers.first_study_on) as begun,
    percentile_disc(0.5) within group (order by handovers.activation_days) as median_days,
    percentile_disc(0.9) within group (order by handovers.activation_days) as days_of_90_percent
from marts.fct_handover as handovers
inner join marts.dim_customer as customers on customers.customer_id = handovers.customer_id
cross join marts.publication
where
    publication.is_current
    and customers.is_reportable
    and handovers.handed_over_on > publication.as_of - 365
    and handovers.handed_over_on <= publication.as_of - 30
group by handovers.campus_id, handovers.is_activated
order by campus_id, handovers.is_activated;
