-- Question: How long does a new enquiry wait for its advisor?
-- Returns: one row per advisor with at least 20 enquiries in the last year, the slowest first: the median of hours to
--   the first outgoing contact of an advisor, and the share of enquiries answered within a day.
-- Caveat: the row goes by the advisor in charge, whoever made the contact. Automatic messages do not count; with them it
--   is response_hours. Enquiries that nobody has answered yet are in the rate and not in the median.
select
    leads.advisor_id,
    count(*) as enquiries,
    count(leads.advisor_response_hours) as answered,
    round(percentile_cont(0.5) within group (order by leads.advisor_response_hours)::numeric, 1) as median_hours,
    round(avg(case when leads.advisor_response_hours <= 24 then 1 else 0 end), 3) as within_a_day_rate
from marts.fct_lead as leads
cross join marts.publication
where
    publication.is_current
    and leads.is_reportable
    and leads.created_on > publication.as_of - 365
group by leads.advisor_id
having count(*) >= 20
order by median_hours desc, leads.advisor_id;
