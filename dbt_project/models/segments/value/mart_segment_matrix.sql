-- One row per reportable customer: one of the 12 types, the type at the end of the month before, and the strategy.
with

scores as (
    select
        customer_id,
        valuation,
        campus_id,
        phase_code,
        value_segment,
        phase_code || '_' || value_segment as type_code
    from {{ ref('int_value_score') }}
),

types as (
    select * from {{ ref('segment_strategy') }}
),

money as (
    select
        customer_id,
        sum(amount) as net_paid_amount
    from (
        {{ cash_moved() }}
    ) as moved
    where day_on > {{ add_days(as_of(), -365) }}
    group by customer_id
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
