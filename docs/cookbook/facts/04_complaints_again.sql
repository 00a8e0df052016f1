-- Question: Which complaints come back, and what do they cost?
-- Returns: one row per category in the last two years: complaints, how many were the second or a later one of the
--   category from the same customer within 90 days, their share, the median of hours to the resolution, and the cost.
-- Caveat: customers are learners, so that one family with two children may complain twice without a recurrence. The cost
--   is that of complaints that are closed; test accounts are left out.
select
    complaints.category,
    count(*) as complaints,
    count(*) filter (where complaints.recurrence_no > 1) as again,
    round(avg(case when complaints.recurrence_no > 1 then 1 else 0 end), 3) as again_rate,
    round(percentile_cont(0.5) within group (order by complaints.resolution_hours)::numeric) as median_hours,
    sum(complaints.resolution_cost_amount) as cost_amount
from marts.fct_complaint as complaints
inner join marts.dim_customer as customers on customers.customer_id = complaints.customer_id
cross join marts.publication
where
    publication.is_current
    and customers.is_reportable
    and complaints.opened_on > publication.as_of - 730
group by complaints.category
order by complaints desc, complaints.category;
