-- One row per reward for a referral that was credited to a customer, of either side.
with

rewards as (
    select * from {{ ref('stg_rewards') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    rewards.reward_id,
    scope.customer_id,
    scope.campus_id,
    rewards.referral_id,
    rewards.beneficiary,
    rewards.kind,
    rewards.amount,
    rewards.currency,
    rewards.granted_on,
    rewards.granted_at
from scope
inner join rewards on rewards.learner_id = scope.learner_id
where rewards.granted_on <= {{ as_of() }}
