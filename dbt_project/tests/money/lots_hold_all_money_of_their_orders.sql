-- What: the money of an order's lots is not what was paid and paid back for the order in that currency.
-- Why it matters: billings by product line add up to something else than the payments.
-- What to do: see how int_lot_money shares the order among its lines; a line that is gone leaves its share with the
-- others.
with

paid as (
    select
        orders.order_id,
        payments.currency,
        sum(payments.amount) as billed_amount,
        0 as refunded_amount
    from {{ in_scope('fct_order') }} as orders
    inner join {{ ref('fct_payment') }} as payments on payments.order_id = orders.order_id
    where payments.status = 'succeeded'
    group by orders.order_id, payments.currency
),

paid_back as (
    select
        orders.order_id,
        refunds.currency,
        0 as billed_amount,
        sum(refunds.refunded_amount) as refunded_amount
    from {{ in_scope('fct_order') }} as orders
    inner join {{ ref('fct_refund') }} as refunds on refunds.order_id = orders.order_id
    group by orders.order_id, refunds.currency
),

moved as (
    select * from paid
    union all
    select * from paid_back
),

of_orders as (
    select
        order_id,
        currency,
        sum(billed_amount) as billed_amount,
        sum(refunded_amount) as refunded_amount
    from moved
    group by order_id, currency
),

of_lots as (
    select
        order_id,
        currency,
        sum(billed_amount) as billed_amount,
        sum(refunded_amount) as refunded_amount
    from {{ in_scope('fct_lot') }} as lots
    group by order_id, currency
)

select
    coalesce(of_orders.order_id, of_lots.order_id) as order_id,
    coalesce(of_orders.currency, of_lots.currency) as currency
from of_orders
full join of_lots
    on
        of_lots.order_id = of_orders.order_id
        and of_lots.currency = of_orders.currency
where
    coalesce(of_orders.billed_amount, 0) <> coalesce(of_lots.billed_amount, 0)
    or coalesce(of_orders.refunded_amount, 0) <> coalesce(of_lots.refunded_amount, 0)
