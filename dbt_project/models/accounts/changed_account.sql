-- One row per account that this build computes anew: those of changed customers and of contacts of whom there is news.
{% set members_before = previous('dim_account_member') %}
{% set customers_before = published_table('dim_customer') %}
{% set earlier = previous('changed_account') %}
with

registry as (
    select * from {{ ref('customer_registry') }}
),

{% if is_incremental_build() %}

    changed as (
        select * from {{ ref('changed_customer') }}
    ),

    changed_leads as (
        select * from {{ ref('changed_lead') }}
    ),

    -- A contact's own record, or something that names the contact, was loaded or is due. A row that names another
    -- contact than before, or that is gone, is known to the loader only.
    told as (
        select key as contact_id
        from {{ source('meta', 'touched') }}
        where
            kind in ('contact', 'contact_facts')
            and load_id > {{ var('since_load_id') }}
        {% for staged in ['stg_touchpoints', 'stg_contracts'] %}
            union
            select facts.contact_id
            from changed
            inner join registry on registry.customer_id = changed.customer_id
            inner join {{ ref(staged) }} as facts on facts.learner_id = registry.learner_id
            union
            select facts.contact_id
            from changed_leads
            inner join {{ ref(staged) }} as facts on facts.lead_id = changed_leads.lead_id
        {% endfor %}
        -- What names nobody else lies ahead until its day comes.
        {% for staged, day_on in {'stg_touchpoints': 'occurred_on', 'stg_contracts': 'signed_on'}.items() %}
            union
            select facts.contact_id
            from {{ ref(staged) }} as facts
            where
                facts.learner_id is null
                and facts.lead_id is null
                and {{ became_past('facts.' ~ day_on) }}
        {% endfor %}
        union
        select versions.contact_id
        from {{ versions_of('contact') }} as versions
        where {{ became_past(day_of('versions.updated_at')) }}
        union
        select contacts.contact_id
        from {{ ref('stg_contacts') }} as contacts
        where {{ became_past(day_of('contacts.created_at')) }}
    ),

    accounts as (
        select registry.account_id
        from changed
        inner join registry on registry.customer_id = changed.customer_id
        union
        select identified.account_id
        from told
        inner join {{ source('identity', 'identity_contact') }} as identified
            on identified.contact_id = told.contact_id
        union
        -- The account that a customer was in.
        select customers_before.account_id
        from changed
        inner join {{ customers_before }} as customers_before on customers_before.customer_id = changed.customer_id
        {% if members_before %}
            union
            -- A contact who has left an account, with the record or for another account; and one who has come.
            select members_before.account_id
            from {{ members_before }} as members_before
            left join {{ source('identity', 'identity_contact') }} as identified
                on identified.contact_id = members_before.contact_id
            where
                identified.account_id is null
                or identified.account_id <> members_before.account_id
            union
            select identified.account_id
            from {{ source('identity', 'identity_contact') }} as identified
            left join {{ members_before }} as members_before on members_before.contact_id = identified.contact_id
            where
                members_before.account_id is null
                or members_before.account_id <> identified.account_id
        {% endif %}
        {% if earlier %}
            union
            -- What an unpublished build changed is in core and not in marts.
            select account_id from {{ earlier }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    accounts as (
        select account_id from registry
        union
        select account_id from {{ source('identity', 'identity_contact') }}
    )

{% endif %}

select
    account_id,
    '{{ var("build_id") }}' as build_id
from accounts
where account_id is not null
