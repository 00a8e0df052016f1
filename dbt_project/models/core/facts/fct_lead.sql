-- One row per enquiry as recorded in the sign-up system.
with

leads as (
    select * from {{ ref('stg_leads') }}
),

changed as (
    select * from {{ ref('changed_lead') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
)

select
    leads.lead_id,
    registry.customer_id,
    leads.campus_id,
    leads.campaign_id,
    leads.channel_code,
    leads.advisor_id,
    leads.learner_grade,
    leads.subject_interest,
    leads.intent,
    -- The source keeps the latest status only: of a lead changed after the day of the build nothing is known.
    {{ once(day_of('leads.updated_at'), 'leads.status') }} as status,
    {{ once(day_of('leads.updated_at'), 'leads.lost_reason') }} as lost_reason,
    not coalesce(leads.is_test, false) as is_reportable,
    leads.created_on,
    leads.created_at
from changed
inner join leads on leads.lead_id = changed.lead_id
left join registry on registry.learner_id = leads.learner_id
where leads.created_on <= {{ as_of() }}
