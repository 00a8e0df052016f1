-- One row per person who enquired: the first reportable enquiry, and the day of each step of the sign-up funnel.
with

leads as (
    select
        fct_lead.*,
        -- An enquiry that is linked to no learner stands for a person of its own.
        coalesce(customer_id, 'lead:' || lead_id) as person_id
    from {{ ref('fct_lead') }} as fct_lead
    where is_reportable
),

customers as (
    select * from {{ ref('dim_customer') }}
),

in_order as (
    select
        leads.*,
        row_number() over (partition by leads.person_id order by leads.created_at, leads.lead_id) as lead_no
    from leads
),

first_leads as (
    select * from in_order
    where lead_no = 1
),

touches as (
    select
        coalesce(customer_id, 'lead:' || lead_id) as person_id,
        occurred_on,
        occurred_at
    from {{ ref('fct_touchpoint') }}
    where direction = 'out'
),

contacted as (
    select
        first_leads.person_id,
        min(touches.occurred_on) as contacted_on,
        min(touches.occurred_at) as contacted_at
    from first_leads
    inner join touches
        on
            touches.person_id = first_leads.person_id
            and touches.occurred_at >= first_leads.created_at
    group by first_leads.person_id
),

trials as (
    select
        first_leads.person_id,
        min(fct_trial.booked_on) as trial_booked_on,
        min(case when fct_trial.status = 'attended' then fct_trial.scheduled_on end) as trial_attended_on
    from first_leads
    inner join {{ ref('fct_trial') }} as fct_trial
        on
            coalesce(fct_trial.customer_id, 'lead:' || fct_trial.lead_id) = first_leads.person_id
            and fct_trial.booked_at >= first_leads.created_at
    group by first_leads.person_id
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
