-- One row per reportable customer: scores of value with what each indicator measured and the points it gave.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

scores as (
    select scores.*
    from changed
    inner join {{ ref('int_value_score') }} as scores on scores.customer_id = changed.customer_id
    where scores.valuation = 'now'
),

inputs as (
    select inputs.*
    from changed
    inner join {{ ref('int_value_input') }} as inputs on inputs.customer_id = changed.customer_id
),

moved as (
    {{ cash_moved() }}
),

spent as (
    select
        moved.customer_id,
        sum(moved.amount) as spend_amount
    from changed
    inner join moved on moved.customer_id = changed.customer_id
    group by moved.customer_id
),

tiers as (
    select
        tier_kind,
        tier_code,
        -- The lowest tier has no lower end.
        coalesce(min_spend_amount, -1000000000000) as min_spend_amount,
        lead(min_spend_amount) over (partition by tier_kind order by ordinal) as next_spend_amount
    from {{ ref('spend_tiers') }}
)

select
    scores.customer_id,
    scores.campus_id,
    scores.phase_code,
    scores.valued_on,
    scores.current_value_score,
    scores.current_weight_known,
    scores.potential_value_score,
    scores.potential_weight_known,
    scores.value_segment,
    {% for indicator in value_indicators().split(',') %}
        inputs.{{ indicator }},
        scores.{{ indicator }}_points,
    {% endfor %}
    cast(coalesce(spent.spend_amount, 0) as numeric(18, 2)) as spend_amount,
    loyalty.tier_code as loyalty_tier,
    service.tier_code as service_tier
from scores
inner join inputs
    on
        inputs.customer_id = scores.customer_id
        and inputs.valued_on = scores.valued_on
left join spent on spent.customer_id = scores.customer_id
{% for kind in ['loyalty', 'service'] %}
    inner join tiers as {{ kind }}
        on
            {{ kind }}.tier_kind = '{{ kind }}'
            and {{ kind }}.min_spend_amount <= coalesce(spent.spend_amount, 0)
            and ({{ kind }}.next_spend_amount is null or {{ kind }}.next_spend_amount > coalesce(spent.spend_amount, 0))
{% endfor %}
