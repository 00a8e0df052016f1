-- One row per reportable customer: one of the 12 types, the type at the end of the month before, and the strategy.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

scores as (
    select
        scores.customer_id,
        scores.valuation,
        scores.campus_id,
        scores.phase_code,
        scores.value_segment,
        scores.phase_code || '_' || scores.value_segment as type_code
    from changed
    inner join {{ ref('int_value_score') }} as scores on scores.customer_id = changed.customer_id
),

types as (
    select * from {{ ref('segment_strategy') }}
),

moved as (
    {{ cash_moved() }}
),

money as (
    select
        moved.customer_id,
        sum(moved.amount) as net_paid_amount
    from changed
    inner join moved on moved.customer_id = changed.customer_id
    where moved.day_on > {{ add_days(as_of(), -365) }}
    group by moved.customer_id
)

select
    scores.customer_id,
    scores.campus_id,
    scores.type_code,
    scores.phase_code,
    scores.value_segment,
    types.name_en as type_name_en,
    types.name_zh as type_name_zh,
    types.strategy_en,
    types.strategy_zh,
    before.type_code as type_code_month_before,
    coalesce(before.type_code <> scores.type_code, true) as is_moved,
    cast(coalesce(money.net_paid_amount, 0) as numeric(18, 2)) as net_paid_12m_amount
from scores
inner join types on types.type_code = scores.type_code
left join scores as before
    on
        before.customer_id = scores.customer_id
        and before.valuation = 'month_before'
left join money on money.customer_id = scores.customer_id
where scores.valuation = 'now'
