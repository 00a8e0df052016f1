-- One row per lead that this build computes anew.
with

{% if is_incremental_build() %}

    changed_learners as (
        select registry.learner_id
        from {{ ref('changed_customer') }} as changed_customer
        inner join {{ ref('customer_registry') }} as registry on registry.customer_id = changed_customer.customer_id
    ),

    reasons as (
        select key as lead_id
        from {{ source('meta', 'touched') }}
        where
            kind = 'lead'
            and load_id > {{ var('since_load_id') }}
        union
        -- What a customer's leads say of the customer changes with the customer.
        select leads.lead_id
        from changed_learners
        inner join {{ ref('int_lead') }} as leads on leads.learner_id = changed_learners.learner_id
        union
        select touchpoints.lead_id
        from changed_learners
        inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.learner_id = changed_learners.learner_id
        where touchpoints.lead_id is not null
        {% set due = previous('lead_due') %}
        {% if due %}
            union
            select lead_id
            from {{ due }}
            where due_on <= {{ as_of() }}
        {% endif %}
        {% if previous('changed_lead') %}
            union
            -- What an unpublished build changed is in core and not in marts.
            select lead_id from {{ previous('changed_lead') }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    reasons as (
        select lead_id from {{ ref('int_lead') }} as leads
    )

{% endif %}

select
    lead_id,
    '{{ var("build_id") }}' as build_id
from reasons
