-- Question: What is offered to those who want to leave, and does it keep them?
-- Returns: one row per time of asking and offer: interviews that are mature, offers taken, customers in a run 60 days
--   later and, of these, those who had taken the offer.
-- Caveat: who is asked while lapsing or with a refund open can still be kept; who is asked afterwards would have to come
--   back. Interviews of the last 60 days are left out.
select
    interviews.asked_while,
    coalesce(interviews.offer_code, 'none') as offer_code,
    count(*) as interviews,
    count(*) filter (where interviews.is_offer_accepted) as accepted,
    count(*) filter (where interviews.is_still_customer) as still_there,
    count(*) filter (where interviews.is_still_customer and interviews.is_offer_accepted) as accepted_and_still_there,
    round(avg(case when interviews.is_still_customer then 1 else 0 end), 3) as still_there_rate
from marts.fct_exit_interview as interviews
inner join marts.dim_customer as customers on customers.customer_id = interviews.customer_id
where
    customers.is_reportable
    and interviews.is_mature
group by interviews.asked_while, interviews.offer_code
order by interviews.asked_while, interviews desc, offer_code;
