-- One row per customer whose revenue by month this build adds up anew: changed customers, and those with a period that
-- earns on days since the last publication.
{% set earlier = previous('changed_revenue') %}
with

customers as (
    select customer_id from {{ ref('changed_customer') }}
    {% if is_incremental_build() %}
        union
        select periods.customer_id
        from {{ ref('fct_period_revenue') }} as periods
        where
            periods.first_on <= {{ as_of() }}
            and periods.last_on > {{ published_day() }}
            -- On the day that is published already no day has passed.
            and {{ published_day() }} < {{ as_of() }}
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
