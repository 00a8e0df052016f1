-- One row per reportable customer in a run whose lines all end soon, or are over: due day, balance, and what a renewal
-- is likely to bring.
with

customers as (
    select * from {{ ref('customer_features') }}
),

scores as (
    select * from {{ ref('int_risk_score') }}
    where target = 'renewal'
),

histories as (
    select
        customer_id,
        -- Who got all the money back is not expected to pay a negative amount.
        cast(greatest(coalesce(term_amount, net_amount / purchases), 0) as numeric(18, 2)) as usual_amount
    from {{ ref('int_purchase_history') }}
)

select
    customers.customer_id,
    customers.campus_id,
    customers.base_stage,
    customers.due_on,
    cast(customers.days_to_due as integer) as days_to_due,
    customers.days_to_due < 0 as is_overdue,
    cast(customers.hours_left as numeric(12, 2)) as balance_hours,
    scores.is_in_danger,
    cast({{ risk_rule('renewal_horizon_days') }} as integer) as horizon_days,
    scores.scorer,
    scores.fitted_as_of,
    scores.probability as renewal_probability,
    histories.usual_amount,
    cast(scores.probability * histories.usual_amount as numeric(18, 2)) as expected_amount,
    {{ risk_reasons('scores') }}
from customers
inner join scores on scores.scored_id = customers.customer_id
left join histories on histories.customer_id = customers.customer_id
