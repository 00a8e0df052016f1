-- One row per reportable customer in a run: how likely the customer is to leave soon, by which scorer, and why.
with

customers as (
    select * from {{ ref('customer_features') }}
),

scores as (
    select * from {{ ref('int_risk_score') }}
    where target = 'churn'
)

select
    customers.customer_id,
    customers.campus_id,
    customers.base_stage,
    scores.is_in_danger,
    cast({{ risk_rule('churn_horizon_days') }} as integer) as horizon_days,
    scores.scorer,
    scores.fitted_as_of,
    scores.probability as churn_probability,
    scores.risk_band,
    {{ risk_reasons('scores') }}
from customers
inner join scores on scores.scored_id = customers.customer_id
