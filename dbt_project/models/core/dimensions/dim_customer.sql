-- One row per customer, with what is known of the customer on the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

grades as (
    select * from {{ ref('grades') }}
),

contacts as (
    select * from {{ ref('int_lifecycle_contact') }}
),

lines as (
    select * from {{ ref('int_lifecycle_line') }}
),

leads as (
    select * from {{ ref('stg_leads') }}
),

spans as (
    select * from {{ ref('fct_lifecycle_span') }}
),

attributes as (
    select
        scope.customer_id,
        learners.birth_year,
        learners.grade,
        learners.school,
        learners.region,
        learners.acquisition_channel,
        grades.learner_band,
        -- Test accounts and children of staff count in no metric.
        not coalesce(learners.is_test, false) and not coalesce(learners.is_staff_child, false) as is_reportable
    from scope
    left join learners on learners.learner_id = scope.learner_id
    left join grades on grades.grade = learners.grade
),

purchases as (
    select
        customer_id,
        min(granted_on) as first_purchase_on
    from lines
    where
        not is_gift
        -- A line left with no day is no purchase.
        and (ends_on is null or ends_on >= granted_on)
        and (cut_on is null or cut_on > granted_on)
    group by customer_id
),

consents_told as (
    select
        scope.customer_id,
        consents.consent_id,
        consents.is_granted,
        consents.given_at
    from scope
    inner join {{ ref('stg_consents') }} as consents on consents.learner_id = scope.learner_id
    where
        consents.purpose = 'marketing'
        and consents.given_on <= {{ as_of() }}
    union
    -- A contact's word holds for the learners whose enquiry the contact made.
    select
        scope.customer_id,
        consents.consent_id,
        consents.is_granted,
        consents.given_at
    from scope
    inner join leads on leads.learner_id = scope.learner_id
    inner join {{ ref('stg_consents') }} as consents on consents.contact_id = leads.contact_id
    where
        consents.learner_id is null
        and consents.purpose = 'marketing'
        and consents.given_on <= {{ as_of() }}
),

consents_in_order as (
    select
        customer_id,
        is_granted,
        -- The last word counts; of two at the same instant the refusal.
        row_number() over (partition by customer_id order by given_at desc, is_granted, consent_id) as consent_no
    from consents_told
)

select
    customers.customer_id,
    customers.campus_id,
    attributes.learner_band,
    attributes.birth_year,
    attributes.grade,
    attributes.school,
    attributes.region,
    attributes.acquisition_channel,
    contacts.contact_on as first_contact_on,
    purchases.first_purchase_on,
    spans.stage_code as current_stage,
    spans.phase_code as current_phase,
    consents_in_order.is_granted as marketing_consent,
    attributes.is_reportable
from customers
inner join attributes on attributes.customer_id = customers.customer_id
-- Before the first contact there is nobody to speak of.
inner join contacts on contacts.customer_id = customers.customer_id
left join purchases on purchases.customer_id = customers.customer_id
left join spans
    on
        spans.customer_id = customers.customer_id
        and spans.is_current
left join consents_in_order
    on
        consents_in_order.customer_id = customers.customer_id
        and consents_in_order.consent_no = 1
