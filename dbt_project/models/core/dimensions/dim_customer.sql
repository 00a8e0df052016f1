-- One row per customer, with what is known of the customer on the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
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

consents as (
    select * from {{ ref('fct_consent') }}
),

spans as (
    select * from {{ ref('fct_lifecycle_span') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

reportable as (
    select
        scope.customer_id,
        not {{ counts_in_no_metric('scope.learner_id', 'learners', 'leads') }} as is_reportable
    from scope
    left join {{ ref('stg_learners') }} as learners on learners.learner_id = scope.learner_id
    left join {{ ref('int_lead') }} as leads
        on
            leads.learner_id = scope.learner_id
            and 'lead:' || leads.lead_id = scope.learner_id
    group by scope.customer_id
),

attributes as (
    select
        scope.customer_id,
        registry.account_id,
        coalesce(learners.birth_year, leads.learner_birth_year) as birth_year,
        coalesce(learners.grade, leads.learner_grade) as grade,
        learners.school,
        learners.region,
        coalesce(learners.acquisition_channel, leads.channel_code) as acquisition_channel,
        reportable.is_reportable
    from scope
    inner join registry on registry.learner_id = scope.learner_id
    inner join reportable on reportable.customer_id = scope.customer_id
    left join {{ ref('stg_learners') }} as learners on learners.learner_id = scope.learner_id
    -- Of a prospect the first enquiry is all there is.
    left join {{ ref('int_lead') }} as leads
        on
            leads.learner_id = scope.learner_id
            and 'lead:' || leads.lead_id = scope.learner_id
    where scope.is_main
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
)

select
    customers.customer_id,
    attributes.account_id,
    customers.campus_id,
    grades.learner_band,
    attributes.birth_year,
    attributes.grade,
    attributes.school,
    attributes.region,
    attributes.acquisition_channel,
    contacts.contact_on as first_contact_on,
    purchases.first_purchase_on,
    spans.stage_code as current_stage,
    spans.phase_code as current_phase,
    consents.is_granted as marketing_consent,
    attributes.is_reportable
from customers
inner join attributes on attributes.customer_id = customers.customer_id
left join grades on grades.grade = attributes.grade
-- Before the first contact there is nobody to speak of.
inner join contacts on contacts.customer_id = customers.customer_id
left join purchases on purchases.customer_id = customers.customer_id
left join spans
    on
        spans.customer_id = customers.customer_id
        and spans.is_current
left join consents
    on
        consents.customer_id = customers.customer_id
        and consents.purpose = 'marketing'
        and consents.is_current
