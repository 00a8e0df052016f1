-- One row per line of an order, i.e. per right to learn that was ordered.
with

order_lines as (
    select * from {{ ref('stg_order_lines') }}
),

orders as (
    select * from {{ ref('fct_order') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    order_lines.order_line_id,
    orders.customer_id,
    orders.campus_id,
    order_lines.order_id,
    order_lines.course_id,
    order_lines.product_line,
    order_lines.kind,
    order_lines.delivery,
    orders.payable_amount = 0 as is_gift,
    order_lines.paid_hours,
    order_lines.gift_hours,
    order_lines.list_amount,
    order_lines.net_amount,
    orders.currency,
    -- The right begins with the purchase; a gift on its day, or with its order where no day is given.
    case
        when orders.payable_amount > 0 then orders.purchased_on
        when not orders.is_cancelled
            then {{ once('coalesce(order_lines.granted_on, orders.placed_on)',
                         'coalesce(order_lines.granted_on, orders.placed_on)') }}
    end as granted_on,
    order_lines.starts_on,
    order_lines.ends_on
from changed
inner join orders on orders.customer_id = changed.customer_id
inner join order_lines on order_lines.order_id = orders.order_id
