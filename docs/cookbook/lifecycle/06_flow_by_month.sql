-- Question: How do customers flow between stages, month by month?
-- Returns: one row per month (the last three whole ones), layer, from, to: changes, and customers who made them.
-- Caveat: layers are counted apart: a win-back in danger is one change in each. A customer may enter danger twice in
--   a month: changes add up over months, customers do not.
with

asked as (
    select
        cast(date_trunc('month', as_of + 1) - interval '3 months' as date) as first_on,
        cast(date_trunc('month', as_of + 1) as date) - 1 as last_on
    from marts.publication
    where is_current
)

select
    cast(date_trunc('month', transitions.transition_on) as date) as month_on,
    transitions.layer,
    coalesce(transitions.from_code, '') as from_code,
    transitions.to_code,
    count(*) as changes,
    count(distinct transitions.customer_id) as customers
from asked
inner join marts.fct_lifecycle_transition as transitions
    on transitions.transition_on between asked.first_on and asked.last_on
inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
left join marts.dim_lifecycle_stage as from_stages on from_stages.stage_code = transitions.from_code
left join marts.dim_lifecycle_stage as to_stages on to_stages.stage_code = transitions.to_code
where customers.is_reportable
group by 1, transitions.layer, transitions.from_code, transitions.to_code, from_stages.ordinal, to_stages.ordinal
order by 1, transitions.layer, from_stages.ordinal nulls first, to_stages.ordinal nulls first;
