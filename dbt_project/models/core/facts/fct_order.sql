-- One row per order.
with

orders as (
    select * from {{ ref('stg_orders') }}
),

payments as (
    select * from {{ ref('stg_payments') }}
),

refunds as (
    select * from {{ ref('stg_refunds') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

orders_in_scope as (
    select
        orders.*,
        scope.customer_id
    from scope
    inner join orders on orders.learner_id = scope.learner_id
    where orders.placed_on <= {{ as_of() }}
),

paid as (
    select
        orders_in_scope.order_id,
        -- Money in another currency is never added to the order's (it waits in a lot of its own, see fct_lot); but
        -- who has paid anything has bought.
        sum(case when payments.currency = orders_in_scope.currency then payments.amount else 0 end) as paid_amount,
        min(payments.paid_at) as first_paid_at
    from orders_in_scope
    inner join payments on payments.order_id = orders_in_scope.order_id
    where
        payments.status = 'succeeded'
        and payments.paid_on <= {{ as_of() }}
    group by orders_in_scope.order_id
),

paid_back as (
    select
        orders_in_scope.order_id,
        sum(refunds.amount) as refunded_amount
    from orders_in_scope
    inner join refunds on refunds.order_id = orders_in_scope.order_id
    where
        refunds.resolution = 'paid'
        and refunds.currency = orders_in_scope.currency
        and refunds.resolved_on <= {{ as_of() }}
    group by orders_in_scope.order_id
)

select
    orders.order_id,
    orders.customer_id,
    orders.campus_id,
    orders.contract_id,
    orders.coupon_id,
    case
        when orders.payable_amount = 0 then 'nothing_to_pay'
        when paid.paid_amount >= orders.payable_amount then 'paid'
        when paid.paid_amount > 0 then 'partly_paid'
        else 'unpaid'
    end as payment_status,
    orders.status = 'cancelled' as is_cancelled,
    orders.payable_amount > 0 as is_reportable,
    orders.list_amount,
    orders.discount_amount,
    orders.payable_amount,
    cast(coalesce(paid.paid_amount, 0) as numeric(18, 2)) as paid_amount,
    cast(coalesce(paid_back.refunded_amount, 0) as numeric(18, 2)) as refunded_amount,
    orders.currency,
    orders.placed_on,
    orders.placed_at,
    case when orders.payable_amount > 0 then {{ day_of('paid.first_paid_at') }} end as purchased_on
from orders_in_scope as orders
left join paid on paid.order_id = orders.order_id
left join paid_back on paid_back.order_id = orders.order_id
