-- One row per payment, successful or not.
with

payments as (
    select * from {{ ref('stg_payments') }}
),

orders as (
    select * from {{ ref('fct_order') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    payments.payment_id,
    orders.customer_id,
    orders.campus_id,
    payments.order_id,
    payments.instalment_id,
    payments.method,
    payments.status,
    payments.amount,
    payments.fee_amount,
    payments.currency,
    payments.channel_transaction_id,
    payments.paid_on,
    payments.paid_at
from changed
inner join orders on orders.customer_id = changed.customer_id
inner join payments on payments.order_id = orders.order_id
where payments.paid_on <= {{ as_of() }}
