-- One row per class of which this build computes the weeks anew: those of changed customers, now and before.
{% set before = previous('fct_learning_week_class') %}
{% set earlier = previous('changed_class') %}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

classes as (
    select fct_attendance.class_id
    from changed
    inner join {{ ref('fct_attendance') }} as fct_attendance on fct_attendance.customer_id = changed.customer_id
    union
    select fct_homework.class_id
    from changed
    inner join {{ ref('fct_homework') }} as fct_homework on fct_homework.customer_id = changed.customer_id
    where fct_homework.class_id is not null
    {% if is_incremental_build() and before %}
        union
        -- A class that a customer is gone from.
        select previous_week.class_id
        from changed
        inner join {{ before }} as previous_week on previous_week.customer_id = changed.customer_id
    {% endif %}
    {% if is_incremental_build() and earlier %}
        union
        -- What an unpublished build changed is in core and not in marts.
        select class_id from {{ earlier }}
        where {{ is_unpublished('build_id') }}
    {% endif %}
)

select
    class_id,
    '{{ var("build_id") }}' as build_id
from classes
