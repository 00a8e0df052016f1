-- One row per customer who is valued anew: on a new day everybody, on the same day again those of whom something has
-- changed.
{% set offered_before = previous('int_course_offered') %}
{% set earlier = previous('changed_valuation') %}
with

customers as (
    select customer_id from {{ ref('dim_customer') }}
),

{% if is_incremental_build() and offered_before %}

    courses as (
        {{ offered_courses() }}
    ),

    -- What moves everybody: a day has passed; the catalogue is another; places among all customers give points.
    moves_all as (
        select 1 as why
        where {{ published_day() }} < {{ as_of() }}
        union all
        select 1 as why
        from courses
        full join {{ offered_before }} as offered_before on offered_before.course_id = courses.course_id
        where
            courses.course_id is null
            or offered_before.course_id is null
            or courses.subject <> offered_before.subject
            or coalesce(courses.school_level, '') <> coalesce(offered_before.school_level, '')
            or coalesce(courses.first_on, {{ far_day() }}) <> coalesce(offered_before.first_on, {{ far_day() }})
        union all
        select 1 as why
        from {{ ref('value_rules') }}
        where
            rule = 'by_percentile'
            and value = 1
    ),

    valued_anew as (
        select customer_id from {{ ref('changed_customer') }}
        union
        select customer_id from {{ ref('changed_revenue') }}
        union
        -- Also whoever has no share any more.
        {% for shared in [ref('fct_cost_to_serve_month'), published_table('fct_cost_to_serve_month')] %}
            select costs.customer_id
            from {{ ref('changed_cost_month') }} as changed_cost_month
            inner join {{ shared }} as costs on costs.month_on = changed_cost_month.month_on
            union
        {% endfor %}
        select customer_id
        from customers
        where exists (select 1 from moves_all)
        {% if earlier %}
            union
            -- What an unpublished build changed is in core and not in marts.
            select customer_id from {{ earlier }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    valued_anew as (
        select customer_id from customers
    )

{% endif %}

select
    customer_id,
    '{{ var("build_id") }}' as build_id
from valued_anew
