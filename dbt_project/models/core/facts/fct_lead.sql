-- One row per enquiry as recorded in the sign-up system.
with

leads as (
    select * from {{ ref('int_lead') }}
),

changed as (
    select * from {{ ref('changed_lead') }}
),

standing as (
    select * from {{ ref('int_lead_standing') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
)

select
    leads.lead_id,
    standing.customer_id,
    leads.campus_id,
    leads.campaign_id,
    leads.channel_code,
    leads.advisor_id,
    leads.learner_grade,
    leads.subject_interest,
    standing.intent,
    standing.intent_points,
    leads.intent as source_intent,
    standing.tier,
    standing.is_zombie,
    -- The source keeps the latest status only: of a lead changed after the day of the build nothing is known.
    {{ once(day_of('leads.updated_at'), 'leads.status') }} as status,
    {{ once(day_of('leads.updated_at'), 'leads.lost_reason') }} as lost_reason,
    {{ once(day_of('leads.updated_at'), day_of('leads.updated_at')) }} as status_on,
    -- Who counts in no metric (a child of staff) is asked about by leads that do not either.
    not coalesce(leads.is_test, false) and coalesce(customers.is_reportable, true) as is_reportable,
    leads.created_on,
    leads.created_at,
    standing.response_hours,
    standing.advisor_response_hours,
    standing.unanswered_calls,
    standing.last_answered_on,
    standing.last_interest_on,
    standing.first_trial_booked_on,
    standing.first_trial_attended_on,
    standing.purchased_on
from changed
inner join leads on leads.lead_id = changed.lead_id
inner join standing on standing.lead_id = leads.lead_id
left join customers on customers.customer_id = standing.customer_id
where leads.created_on <= {{ as_of() }}
