-- One row per customer and stretch of days with the same background and told traits, from the first contact on.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
{% set versions = versions_of('contact') %}
{% set background = {
    'income_band': 'income_band', 'occupation': 'guardian_occupation', 'education': 'guardian_education'
} %}
{% set kinds = {
    'personality': 'personality', 'taboo': 'taboos', 'interest': 'told_interests',
    'learning_preference': 'told_learning_preference'
} %}
{% set parts = {'background': 'account_id', 'households': 'account_id', 'characteristics': 'customer_id'} %}
{% set attributes = ['household_customers'] + background.values() | list + kinds.values() | list %}
with

scope as (
    select * from {{ ref('changed_household') }}
),

-- Of a changed account every customer is among them.
customers as (
    select dim_customer.*
    from scope
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = scope.customer_id
),

members as (
    select dim_account_member.*
    from {{ ref('dim_account_member') }} as dim_account_member
    where dim_account_member.account_id in (select customers.account_id from customers)
),

traits as (
    select traits.*
    from scope
    inner join {{ ref('int_trait_stretch') }} as traits on traits.customer_id = scope.customer_id
),

-- A change counts from the day on which the source made it; of several on a day the last is the day's.
known as (
    select
        members.account_id,
        versions.contact_id,
        coalesce(versions.is_decision_maker, false) as is_decision_maker,
        {% for fact in background %}
            versions.{{ fact }},
        {% endfor %}
        {{ day_of('versions.updated_at') }} as told_on,
        row_number() over (
            partition by versions.contact_id, {{ day_of('versions.updated_at') }}
            order by versions.updated_at desc, versions._load_id desc
        ) as version_no
    from members
    inner join {{ versions }} as versions on versions.contact_id = members.contact_id
    where {{ day_of('versions.updated_at') }} <= {{ as_of() }}
),

told as (
    select
        known.*,
        lead(told_on) over (partition by contact_id order by told_on) as told_to
    from known
    where version_no = 1
),

told_days as (
    select
        account_id,
        told_on as day_on
    from told
    -- Several contacts of an account may tell something on one day.
    group by account_id, told_on
),

-- Whom the source marked as deciding in those days is asked first, whoever else had told it fills the gaps. Who decides
-- by weight (dim_account_member) is known of the day of the build only.
asked as (
    select
        told_days.account_id,
        {% for fact in background %}
            told.{{ fact }},
            row_number() over (
                partition by told_days.account_id, told_days.day_on
                order by
                    case when told.{{ fact }} is null then 1 else 0 end, told.is_decision_maker desc,
                    told.told_on desc, told.contact_id
            ) as {{ fact }}_place,
        {% endfor %}
        told_days.day_on
    from told_days
    inner join told
        on
            told.account_id = told_days.account_id
            and told.told_on <= told_days.day_on
            and (told.told_to is null or told.told_to > told_days.day_on)
),

background as (
    select
        account_id,
        {% for fact, name in background.items() %}
            max(case when {{ fact }}_place = 1 then {{ fact }} end) as {{ name }},
        {% endfor %}
        day_on as valid_from,
        lead(day_on) over (partition by account_id order by day_on) as valid_to
    from asked
    group by account_id, day_on
),

joined_days as (
    select
        account_id,
        first_contact_on as day_on,
        count(*) as joined
    from customers
    where account_id is not null
    group by account_id, first_contact_on
),

households as (
    select
        account_id,
        day_on as valid_from,
        lead(day_on) over (partition by account_id order by day_on) as valid_to,
        cast(sum(joined) over (partition by account_id order by day_on) as integer) as household_customers
    from joined_days
),

trait_days as (
    select
        customer_id,
        valid_from as day_on
    from traits
    union
    select
        customer_id,
        valid_to as day_on
    from traits
    where valid_to is not null
),

characteristics as (
    select
        trait_days.customer_id,
        {% for kind, name in kinds.items() %}
            {{ list_of('traits.code', 'traits.code', "traits.kind = '" ~ kind ~ "'") }} as {{ name }},
        {% endfor %}
        trait_days.day_on as valid_from,
        lead(trait_days.day_on) over (partition by trait_days.customer_id order by trait_days.day_on) as valid_to
    from trait_days
    left join traits
        on
            traits.customer_id = trait_days.customer_id
            and traits.valid_from <= trait_days.day_on
            and (traits.valid_to is null or traits.valid_to > trait_days.day_on)
    group by trait_days.customer_id, trait_days.day_on
),

-- What was known before the first contact is known on its day.
days as (
    select
        customer_id,
        first_contact_on as day_on
    from customers
    {% for part, key in parts.items() %}
        union
        select
            customers.customer_id,
            greatest(part.valid_from, customers.first_contact_on) as day_on
        from customers
        inner join {{ part }} as part on part.{{ key }} = customers.{{ key }}
    {% endfor %}
),

by_day as (
    select
        days.customer_id,
        days.day_on,
        customers.campus_id,
        {% for attribute in attributes %}
            {{ attribute }},
        {% endfor %}
        {{ json_array(attributes) }} as attributes
    from days
    inner join customers on customers.customer_id = days.customer_id
    {% for part, key in parts.items() %}
        left join {{ part }}
            on
                {{ part }}.{{ key }} = customers.{{ key }}
                and {{ part }}.valid_from <= days.day_on
                and ({{ part }}.valid_to is null or {{ part }}.valid_to > days.day_on)
    {% endfor %}
),

{{ days_of_change('day_on') }}

select
    customer_id,
    cast(version_no as integer) as version_no,
    campus_id,
    {% for attribute in attributes %}
        {{ attribute }},
    {% endfor %}
    day_on as valid_from,
    valid_to,
    valid_to is null as is_current
from changed
