-- One row per customer, purpose and stretch of days from one word on the purpose to the next.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

consents as (
    select * from {{ ref('stg_consents') }}
    where given_on <= {{ as_of() }}
),

-- Whose enquiries a contact made, and since when.
enquiries as (
    select
        scope.customer_id,
        leads.contact_id,
        min(leads.created_on) as since_on
    from scope
    inner join {{ ref('int_lead') }} as leads on leads.learner_id = scope.learner_id
    where leads.created_on <= {{ as_of() }}
    group by scope.customer_id, leads.contact_id
),

-- Of a birth date only the year is known outside the vault.
birth_years as (
    select
        scope.customer_id,
        max(coalesce(learners.birth_year, leads.learner_birth_year)) as birth_year,
        bool_or(coalesce(grades.learner_band in ('senior', 'university', 'adult'), false)) as is_older_by_grade
    from scope
    left join learners on learners.learner_id = scope.learner_id
    left join {{ ref('grades') }} as grades on grades.grade = learners.grade
    left join {{ ref('int_lead') }} as leads on leads.learner_id = scope.learner_id
    group by scope.customer_id
),

told as (
    select
        scope.customer_id,
        consents.consent_id,
        consents.purpose,
        consents.is_granted,
        consents.is_guardian,
        consents.given_at,
        consents.given_on as told_on
    from scope
    inner join consents on consents.learner_id = scope.learner_id
    union
    -- A contact's word holds for the learners whose enquiry the contact made, from the enquiry on.
    select
        enquiries.customer_id,
        consents.consent_id,
        consents.purpose,
        consents.is_granted,
        consents.is_guardian,
        consents.given_at,
        greatest(consents.given_on, enquiries.since_on) as told_on
    from enquiries
    inner join consents on consents.contact_id = enquiries.contact_id
    where consents.learner_id is null
),

judged as (
    select
        told.*,
        case
            -- Early in the year of the fourteenth birthday, and all through it, the learner may still be thirteen.
            when birth_years.birth_year is not null
                then birth_years.birth_year + {{ var('guardian_consent_below_age') }} >= extract(year from told.told_on)
            -- Who knows no age must ask the guardian.
            else not birth_years.is_older_by_grade
        end as needs_guardian_consent,
        -- The last word of a day is the day's; of two at the same instant the refusal.
        row_number() over (
            partition by told.customer_id, told.purpose, told.told_on
            order by told.given_at desc, told.is_granted, told.consent_id
        ) as word_no
    from told
    inner join birth_years on birth_years.customer_id = told.customer_id
),

last_words as (
    select
        judged.*,
        lead(told_on) over (partition by customer_id, purpose order by told_on) as valid_to
    from judged
    where word_no = 1
)

select
    last_words.consent_id || ':' || last_words.customer_id as consent_stretch_id,
    last_words.customer_id,
    customers.campus_id,
    last_words.purpose,
    last_words.told_on as valid_from,
    last_words.valid_to,
    last_words.valid_to is null as is_current,
    -- A child's own yes is none, and becomes none later: it has to be given anew.
    last_words.is_granted and (not last_words.needs_guardian_consent or coalesce(last_words.is_guardian, false))
        as is_granted,
    case
        when last_words.is_guardian then 'guardian'
        when not last_words.is_guardian then 'person'
        else 'unknown'
    end as given_by,
    last_words.needs_guardian_consent,
    case
        when not last_words.is_granted then 'withdrawn'
        when coalesce(last_words.is_guardian, false) then 'granted_by_guardian'
        when last_words.needs_guardian_consent then 'guardian_consent_missing'
        else 'granted'
    end as rule
from last_words
inner join customers on customers.customer_id = last_words.customer_id
