-- One row per contact between the institution and a prospect or a family.
with

leads as (
    select * from {{ ref('stg_leads') }}
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

-- The staging view is named in each place: read through one expression, it would be read whole.
of_changed as (
    select touchpoints.touchpoint_id
    from scope
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.learner_id = scope.learner_id
    where scope.is_in_teaching
    -- A touchpoint may be found by its learner and by its lead.
    union
    select touchpoints.touchpoint_id
    from changed_leads
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.lead_id = changed_leads.lead_id
)

select
    touchpoints.touchpoint_id,
    registry.customer_id,
    touchpoints.lead_id,
    coalesce(leads.campus_id, learners.campus_id) as campus_id,
    touchpoints.advisor_id,
    touchpoints.channel,
    touchpoints.direction,
    touchpoints.outcome,
    touchpoints.sentiment,
    touchpoints.occurred_on,
    touchpoints.occurred_at
from of_changed
inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.touchpoint_id = of_changed.touchpoint_id
left join leads on leads.lead_id = touchpoints.lead_id
left join learners on learners.learner_id = touchpoints.learner_id
left join registry on registry.learner_id = coalesce(learners.learner_id, leads.learner_id)
where touchpoints.occurred_on <= {{ as_of() }}
