-- One row per lot of a period and stretch of days on which it earns under one value.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

lots as (
    select fct_lot.*
    from changed
    inner join {{ ref('fct_lot') }} as fct_lot on fct_lot.customer_id = changed.customer_id
    where
        fct_lot.kind = 'period'
        and fct_lot.total_units is not null
),

lot_money as (
    select * from {{ ref('int_lot_money') }}
),

stretches as (
    select
        lots.customer_id,
        lots.campus_id,
        lots.lot_id,
        lots.product_line,
        lots.currency,
        lot_money.value_after_amount as value_amount,
        lots.starts_on,
        cast(lots.total_units as integer) as total_days,
        greatest(lot_money.day_on, lots.starts_on) as first_on,
        least(
            lots.ends_on,
            coalesce({{ add_days('lot_money.next_change_on', -1) }}, {{ far_day() }}),
            coalesce({{ add_days('lot_money.settled_on', -1) }}, {{ far_day() }})
        ) as last_on
    from lots
    inner join lot_money on lot_money.lot_id = lots.lot_id
    where lot_money.value_after_amount > 0
)

select
    lot_id || ':' || cast(first_on as {{ dbt.type_string() }}) as period_revenue_id,
    customer_id,
    campus_id,
    lot_id,
    product_line,
    currency,
    value_amount,
    starts_on,
    total_days,
    first_on,
    last_on
from stretches
where first_on <= last_on
