-- One row per refund asked for.
with

refunds as (
    select * from {{ ref('stg_refunds') }}
),

orders as (
    select * from {{ ref('fct_order') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    refunds.refund_id,
    orders.customer_id,
    orders.campus_id,
    refunds.order_id,
    refunds.order_line_id,
    refunds.payment_id,
    refunds.is_whole_line,
    refunds.reason_code,
    {{ once('refunds.resolved_on', 'refunds.resolution') }} as resolution,
    refunds.amount as requested_amount,
    cast(
        case when refunds.resolution = 'paid' and refunds.resolved_on <= {{ as_of() }} then refunds.amount else 0 end
        as numeric(18, 2)
    ) as refunded_amount,
    refunds.currency,
    refunds.requested_on,
    refunds.requested_at,
    {{ once('refunds.resolved_on', 'refunds.resolved_on') }} as resolved_on,
    {{ once('refunds.resolved_on', 'refunds.resolved_at') }} as resolved_at
from changed
inner join orders on orders.customer_id = changed.customer_id
inner join refunds on refunds.order_id = orders.order_id
where refunds.requested_on <= {{ as_of() }}
