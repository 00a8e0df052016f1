-- One row per order, line named (or none), currency and day on which money of the order came in or was paid back.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

orders as (
    select fct_order.*
    from changed
    inner join {{ ref('fct_order') }} as fct_order on fct_order.customer_id = changed.customer_id
),

payments as (
    select * from {{ ref('fct_payment') }}
),

refunds as (
    select * from {{ ref('fct_refund') }}
),

order_lines as (
    select * from {{ ref('fct_order_line') }}
),

moved as (
    select
        orders.order_id,
        orders.customer_id,
        cast(null as text) as order_line_id,
        payments.currency,
        -- Money that came before its order is known from the order's day on.
        greatest(payments.paid_on, orders.placed_on) as day_on,
        payments.amount as billed_amount,
        cast(0 as numeric(18, 2)) as refunded_amount
    from orders
    inner join payments on payments.order_id = orders.order_id
    where payments.status = 'succeeded'
    union all
    select
        orders.order_id,
        orders.customer_id,
        -- A line of another order, or one that is gone, is no line to take money from.
        order_lines.order_line_id,
        refunds.currency,
        greatest(refunds.resolved_on, refunds.requested_on, orders.placed_on) as day_on,
        cast(0 as numeric(18, 2)) as billed_amount,
        refunds.refunded_amount
    from orders
    inner join refunds on refunds.order_id = orders.order_id
    left join order_lines
        on
            order_lines.order_line_id = refunds.order_line_id
            and order_lines.order_id = refunds.order_id
            and order_lines.currency = refunds.currency
    where refunds.resolution = 'paid'
)

select
    order_id,
    customer_id,
    order_line_id,
    currency,
    day_on,
    cast(sum(billed_amount) as numeric(18, 2)) as billed_amount,
    cast(sum(refunded_amount) as numeric(18, 2)) as refunded_amount
from moved
group by order_id, customer_id, order_line_id, currency, day_on
