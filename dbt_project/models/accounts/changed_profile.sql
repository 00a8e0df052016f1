-- One row per customer whose profile this build computes anew: those of changed households, and those for whom a day
-- that has passed makes a difference.
{% set groups = ['basic', 'background', 'characteristic', 'consumption'] %}
{% set confirmed = {'consumption': 'last_purchase_on'} %}
{% set before = previous('dim_customer_profile') %}
{% set earlier = previous('changed_profile') %}
with

customers as (
    select customer_id from {{ ref('changed_household') }}
    {% if is_incremental_build() %}
        union
        -- A lesson or a day of study has left the half year that is looked at.
        select attendance.customer_id
        from {{ ref('fct_attendance') }} as attendance
        where
            attendance.outcome_class = 'attended'
            and {{ became_past('attendance.lesson_on', 180) }}
        union
        select learning_days.customer_id
        from {{ ref('fct_learning_day') }} as learning_days
        where
            learning_days.is_study_day
            and {{ became_past('learning_days.learning_on', 180) }}
        {% if before %}
            union
            -- What is known has grown stale.
            select before.customer_id
            from {{ before }} as before
            {% for group in groups %}
                inner join {{ ref('profile_rules') }} as {{ group }} on {{ group }}.fact_group = '{{ group }}'
            {% endfor %}
            where
                {% for group in groups %}
                    {% set confirmed_on = 'before.' ~ confirmed.get(group, group ~ '_confirmed_on') %}
                    {{ 'or' if not loop.first }}
                    before.is_{{ group }}_stale
                    <> coalesce({{ add_days(confirmed_on, group ~ '.stale_after_days') }} < {{ as_of() }}, true)
                {% endfor %}
            union
            -- A year or a school year has begun.
            select before.customer_id
            from {{ before }} as before
            where
                extract(year from {{ published_day() }}) <> extract(year from {{ as_of() }})
                or extract(year from {{ add_days(published_day(), 122) }})
                <> extract(year from {{ add_days(as_of(), 122) }})
        {% endif %}
        {% if earlier %}
            union
            -- What an unpublished build changed is in core and not in marts.
            select customer_id from {{ earlier }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    {% endif %}
)

select
    customer_id,
    '{{ var("build_id") }}' as build_id
from customers
