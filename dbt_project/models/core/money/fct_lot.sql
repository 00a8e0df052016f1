-- One row per lot: an order line that was granted or for which money moved, or money that belongs to no line yet.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

orders as (
    select fct_order.*
    from changed
    inner join {{ ref('fct_order') }} as fct_order on fct_order.customer_id = changed.customer_id
),

order_lines as (
    select fct_order_line.*
    from changed
    inner join {{ ref('fct_order_line') }} as fct_order_line on fct_order_line.customer_id = changed.customer_id
),

lot_money as (
    select * from {{ ref('int_lot_money') }}
),

money as (
    select
        lot_id,
        sum(billed_amount) as billed_amount,
        sum(refunded_amount) as refunded_amount,
        max(settled_on) as settled_on,
        max(expired_on) as expired_on
    from lot_money
    group by lot_id
),

order_money as (
    select
        'order:' || order_id || ':' || currency as lot_id,
        order_id,
        currency
    from {{ ref('int_order_money') }}
    group by order_id, currency
),

lots as (
    select
        order_lines.order_line_id as lot_id,
        order_lines.customer_id,
        order_lines.campus_id,
        order_lines.order_id,
        order_lines.order_line_id,
        order_lines.course_id,
        order_lines.product_line,
        order_lines.currency,
        order_lines.kind,
        order_lines.granted_on,
        -- Revenue of a period begins with its teaching; an end before it makes it a period of one day.
        least(coalesce(order_lines.starts_on, order_lines.granted_on, orders.placed_on), order_lines.ends_on)
            as starts_on,
        order_lines.ends_on,
        case
            when order_lines.kind = 'package'
                then coalesce(order_lines.paid_hours, 0) + coalesce(order_lines.gift_hours, 0)
        end as total_hours,
        order_lines.paid_hours,
        order_lines.list_amount
    from order_lines
    inner join orders on orders.order_id = order_lines.order_id
    union all
    select
        order_money.lot_id,
        orders.customer_id,
        orders.campus_id,
        orders.order_id,
        null as order_line_id,
        null as course_id,
        'unassigned' as product_line,
        order_money.currency,
        'unassigned' as kind,
        null as granted_on,
        null as starts_on,
        null as ends_on,
        null as total_hours,
        null as paid_hours,
        null as list_amount
    from order_money
    inner join money on money.lot_id = order_money.lot_id
    inner join orders on orders.order_id = order_money.order_id
)

select
    lots.lot_id,
    lots.customer_id,
    lots.campus_id,
    lots.order_id,
    lots.order_line_id,
    lots.course_id,
    lots.product_line,
    lots.currency,
    lots.kind,
    lots.granted_on,
    lots.starts_on,
    lots.ends_on,
    money.settled_on,
    money.expired_on,
    cast(
        case
            when lots.kind = 'package' then lots.total_hours
            when lots.kind = 'period' then {{ days_between('lots.starts_on', 'lots.ends_on') }} + 1
        end as numeric(10, 2)
    ) as total_units,
    -- What the list asks for: hours given on top have no list price.
    cast(
        case
            when lots.kind = 'package' then lots.paid_hours
            when lots.kind = 'period' then {{ days_between('lots.starts_on', 'lots.ends_on') }} + 1
        end as numeric(10, 2)
    ) as list_units,
    cast(lots.list_amount as numeric(18, 2)) as list_amount,
    cast(coalesce(money.billed_amount, 0) as numeric(18, 2)) as billed_amount,
    cast(coalesce(money.refunded_amount, 0) as numeric(18, 2)) as refunded_amount,
    cast(coalesce(money.billed_amount, 0) - coalesce(money.refunded_amount, 0) as numeric(18, 2)) as value_amount
from lots
left join money on money.lot_id = lots.lot_id
where
    lots.granted_on is not null
    or coalesce(money.billed_amount, 0) <> 0
    or coalesce(money.refunded_amount, 0) <> 0
