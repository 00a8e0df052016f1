-- One row per customer whose part in loyalty this build adds up anew: those whose revenue is, and families who
-- referred a customer who has changed.
{% set published = published_table('fct_referral_network') %}
{% set earlier = previous('changed_loyalty') %}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

customers as (
    select customer_id from {{ ref('changed_revenue') }}
    {% if published %}
        {% for network in [ref('fct_referral_network'), published] %}
            union
            select network.customer_id
            from changed
            inner join {{ network }} as network on network.referred_customer_id = changed.customer_id
        {% endfor %}
    {% endif %}
    {% if is_incremental_build() and earlier %}
        union
        -- What an unpublished build changed is in core and not in marts.
        select customer_id from {{ earlier }}
        where {{ is_unpublished('build_id') }}
    {% endif %}
)

select
    customer_id,
    '{{ var("build_id") }}' as build_id
from customers
where customer_id is not null
