-- One row per contract signed.
with

leads as (
    select * from {{ ref('int_lead') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

changed_leads as (
    select * from {{ ref('changed_lead') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

of_changed as (
    select contracts.contract_id
    from scope
    inner join {{ ref('stg_contracts') }} as contracts on contracts.learner_id = scope.learner_id
    where scope.is_in_teaching
    -- A contract may be found by its learner and by its lead.
    union
    select contracts.contract_id
    from changed_leads
    inner join {{ ref('stg_contracts') }} as contracts on contracts.lead_id = changed_leads.lead_id
)

select
    contracts.contract_id,
    registry.customer_id,
    contracts.lead_id,
    coalesce(contracts.campus_id, leads.campus_id, learners.campus_id) as campus_id,
    contracts.order_id,
    case when contracts.cancelled_on <= {{ as_of() }} then 'cancelled' else 'signed' end as status,
    contracts.signed_on,
    contracts.signed_at,
    {{ once('contracts.cancelled_on', 'contracts.cancelled_on') }} as cancelled_on,
    {{ once('contracts.cancelled_on', 'contracts.cancelled_at') }} as cancelled_at
from of_changed
inner join {{ ref('stg_contracts') }} as contracts on contracts.contract_id = of_changed.contract_id
left join leads on leads.lead_id = contracts.lead_id
left join learners on learners.learner_id = contracts.learner_id
left join registry on registry.learner_id = coalesce(learners.learner_id, leads.learner_id)
where
    contracts.signed_on <= {{ as_of() }}
    and coalesce(learners.learner_id, leads.lead_id) is not null
