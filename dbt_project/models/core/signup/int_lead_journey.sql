-- One row per person who enquired: the first reportable enquiry, and the day of each step of the sign-up funnel.
with

enquiries as (
    select
        fct_lead.*,
        -- An enquiry that is linked to no learner stands for a person of its own.
        coalesce(customer_id, 'lead:' || lead_id) as person_id
    from {{ ref('fct_lead') }} as fct_lead
),

customers as (
    select * from {{ ref('dim_customer') }}
),

changed as (
    select customer_id as person_id from {{ ref('changed_customer') }}
    union
    -- Whose enquiry is among the changed, with all the others of that person.
    select enquiries.person_id
    from {{ ref('changed_lead') }} as changed_lead
    inner join enquiries on enquiries.lead_id = changed_lead.lead_id
),

in_order as (
    select
        enquiries.*,
        row_number() over (
            partition by enquiries.person_id order by enquiries.created_at, enquiries.lead_id
        ) as lead_no
    from enquiries
    inner join changed on changed.person_id = enquiries.person_id
    where enquiries.is_reportable
),

first_leads as (
    select * from in_order
    where lead_no = 1
),

touches as (
    select
        first_leads.person_id,
        fct_touchpoint.occurred_on,
        fct_touchpoint.occurred_at
    from first_leads
    inner join {{ ref('fct_touchpoint') }} as fct_touchpoint on fct_touchpoint.customer_id = first_leads.customer_id
    where
        fct_touchpoint.direction = 'out'
        and fct_touchpoint.occurred_at >= first_leads.created_at
    union all
    select
        first_leads.person_id,
        fct_touchpoint.occurred_on,
        fct_touchpoint.occurred_at
    from first_leads
    inner join {{ ref('fct_touchpoint') }} as fct_touchpoint on fct_touchpoint.lead_id = first_leads.lead_id
    where
        first_leads.customer_id is null
        and fct_touchpoint.customer_id is null
        and fct_touchpoint.direction = 'out'
        and fct_touchpoint.occurred_at >= first_leads.created_at
),

contacted as (
    select
        person_id,
        min(occurred_on) as contacted_on,
        min(occurred_at) as contacted_at
    from touches
    group by person_id
),

booked as (
    select
        first_leads.person_id,
        fct_trial.booked_on,
        fct_trial.status,
        fct_trial.scheduled_on
    from first_leads
    inner join {{ ref('fct_trial') }} as fct_trial on fct_trial.customer_id = first_leads.customer_id
    where fct_trial.booked_at >= first_leads.created_at
    union all
    select
        first_leads.person_id,
        fct_trial.booked_on,
        fct_trial.status,
        fct_trial.scheduled_on
    from first_leads
    inner join {{ ref('fct_trial') }} as fct_trial on fct_trial.lead_id = first_leads.lead_id
    where
        first_leads.customer_id is null
        and fct_trial.customer_id is null
        and fct_trial.booked_at >= first_leads.created_at
),

trials as (
    select
        person_id,
        min(booked_on) as trial_booked_on,
        min(case when status = 'attended' then scheduled_on end) as trial_attended_on
    from booked
    group by person_id
),

lessons as (
    select
        first_leads.person_id,
        min(fct_attendance.lesson_on) as first_lesson_on
    from first_leads
    inner join customers on customers.customer_id = first_leads.customer_id
    inner join {{ ref('fct_attendance') }} as fct_attendance
        on
            fct_attendance.customer_id = first_leads.customer_id
            and fct_attendance.outcome_class = 'attended'
            and fct_attendance.lesson_on >= customers.first_purchase_on
    where customers.first_purchase_on >= first_leads.created_on
    group by first_leads.person_id
)

select
    first_leads.person_id,
    first_leads.customer_id,
    first_leads.lead_id,
    first_leads.campus_id,
    first_leads.channel_code,
    first_leads.advisor_id,
    first_leads.created_on as lead_on,
    first_leads.created_at as lead_at,
    contacted.contacted_on,
    contacted.contacted_at,
    trials.trial_booked_on,
    trials.trial_attended_on,
    -- Who had bought before the first enquiry was won without it.
    case when customers.first_purchase_on >= first_leads.created_on then customers.first_purchase_on end
        as purchased_on,
    lessons.first_lesson_on
from first_leads
left join customers on customers.customer_id = first_leads.customer_id
left join contacted on contacted.person_id = first_leads.person_id
left join trials on trials.person_id = first_leads.person_id
left join lessons on lessons.person_id = first_leads.person_id
