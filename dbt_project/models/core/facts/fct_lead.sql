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

-- Not taken from dim_customer, which needs the leads to know the first contact.
left_out as (
    select registry.customer_id
    from standing
    inner join {{ ref('customer_registry') }} as registry on registry.customer_id = standing.customer_id
    left join {{ ref('stg_learners') }} as learners on learners.learner_id = registry.learner_id
    left join {{ ref('int_lead') }} as of_nobody
        on
            of_nobody.learner_id = registry.learner_id
            and 'lead:' || of_nobody.lead_id = registry.learner_id
    group by registry.customer_id
    having {{ counts_in_no_metric('registry.learner_id', 'learners', 'of_nobody') }}
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
    -- What is asked for who counts in no metric (a child of staff) counts in none either.
    not coalesce(leads.is_test, false) and left_out.customer_id is null as is_reportable,
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
left join left_out on left_out.customer_id = standing.customer_id
where leads.created_on <= {{ as_of() }}
