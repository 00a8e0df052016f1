-- One row per learner id ever seen in the learners, enrolments, orders or leads of the institution.
{{ config(
    materialized='incremental',
    incremental_strategy='append',
    full_refresh=false,
    on_schema_change='append_new_columns',
) }}
with

named_learners as (
    -- One id comes several times; duplicates go further down, where few rows are left in a night's build.
    select learner_id from {{ ref('stg_learners') }}
    union all
    select learner_id from {{ ref('stg_enrolments') }}
    union all
    select learner_id from {{ ref('stg_orders') }}
    union all
    select learner_id from {{ ref('stg_leads') }}
    where learner_id is not null
),

{% if is_incremental() %}
    registered as (
        select
            learner_id,
            customer_id
        from {{ this }}
    ),
{% else %}
    registered as (
        select
            cast(null as text) as learner_id,
            cast(null as text) as customer_id
        where false
    ),
{% endif %}

last_number as (
    select coalesce(max(cast(substring(customer_id, 2) as bigint)), 0) as number from registered
),

unregistered as (
    select named_learners.learner_id
    from named_learners
    {% if is_incremental() and is_incremental_build() %}
        -- New learner ids are among those touched, so that a night need not compare them all.
        inner join {{ source('meta', 'touched') }} as touched
            on
                touched.key = named_learners.learner_id
                and touched.kind = 'learner'
                and touched.load_id > {{ var('since_load_id') }}
    {% endif %}
    left join registered on registered.learner_id = named_learners.learner_id
    where registered.learner_id is null
    -- A learner is touched by many loads.
    group by named_learners.learner_id
),

numbered as (
    select
        learner_id,
        -- Shorter ids first, so that numbers keep their order.
        row_number() over (order by length(learner_id), learner_id) as place
    from unregistered
)

select
    numbered.learner_id,
    'C' || {{ zero_padded('last_number.number + numbered.place', 9) }} as customer_id,
    '{{ var("build_id") }}' as registered_by_build
from numbered
cross join last_number
