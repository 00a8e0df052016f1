-- One row per customer and purpose of consent_purposes: whether contact is allowed on the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

scope as (
    select
        customer_id,
        -- As everywhere (int_lifecycle_customer): with several learners the campus of the first.
        min(campus_id) as campus_id,
        -- What accounting law keeps of an erased person has a number, and nobody behind it to be contacted.
        bool_and(learner_id like 'erased:%') as is_erased
    from {{ ref('int_customer_scope') }}
    group by customer_id
),

purposes as (
    select * from {{ ref('consent_purposes') }}
),

words as (
    select * from {{ ref('fct_consent') }}
    where is_current
),

buyers as (
    select distinct customer_id  -- a customer buys several lines
    from {{ ref('int_lifecycle_line') }}
    where granted_on <= {{ as_of() }}
),

reasons as (
    select
        scope.customer_id,
        scope.campus_id,
        purposes.purpose,
        case
            when scope.is_erased then 'erased'
            when words.rule is not null and words.rule <> 'guardian_consent_missing' then words.rule
            when purposes.basis = 'contract' and buyers.customer_id is not null then 'contract'
            when words.rule is not null then words.rule
            else 'never_asked'
        end as reason_code
    from scope
    cross join purposes
    left join words
        on
            words.customer_id = scope.customer_id
            and words.purpose = purposes.purpose
    left join buyers on buyers.customer_id = scope.customer_id
)

select
    customer_id,
    campus_id,
    purpose,
    reason_code in ('granted', 'granted_by_guardian', 'contract') as is_allowed,
    reason_code
from reasons
