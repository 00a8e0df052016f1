-- Question: How many customers are still there 60 days after something was done about a danger signal?
-- Returns: one row per signal: interventions that are mature, how many of these customers were in a run 60 days after it
--   was closed, their share, how many its owner noted as kept, and the median of days from the signal to the action.
-- Caveat: this compares nobody with nobody: customers who are approached are not those who are not, and some would have
--   stayed anyway. Interventions closed in the last 60 days, or still open, are left out.
select
    coalesce(interventions.signal_code, 'none') as signal_code,
    count(*) as interventions,
    count(interventions.risk_signal_id) as with_signal,
    count(*) filter (where interventions.is_still_customer) as still_there,
    round(avg(case when interventions.is_still_customer then 1 else 0 end), 3) as still_there_rate,
    count(*) filter (where interventions.result = 'kept') as noted_as_kept,
    percentile_disc(0.5) within group (order by interventions.days_after_signal) as median_days_after_signal
from marts.fct_intervention as interventions
inner join marts.dim_customer as customers on customers.customer_id = interventions.customer_id
where
    customers.is_reportable
    and interventions.is_mature
group by interventions.signal_code
order by interventions desc, signal_code;
