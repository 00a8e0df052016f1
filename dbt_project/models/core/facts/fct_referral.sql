-- One row per referral of a new lead by an existing family.
with

referrals as (
    select * from {{ ref('stg_referrals') }}
),

leads as (
    select * from {{ ref('int_lead') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    referrals.referral_id,
    scope.customer_id,
    scope.campus_id,
    referrals.referred_lead_id,
    referred.customer_id as referred_customer_id,
    referrals.source_type,
    referrals.referred_on,
    referrals.referred_at
from scope
inner join referrals on referrals.referrer_learner_id = scope.learner_id
left join leads on leads.lead_id = referrals.referred_lead_id
left join registry as referred on referred.learner_id = leads.learner_id
where referrals.referred_on <= {{ as_of() }}
