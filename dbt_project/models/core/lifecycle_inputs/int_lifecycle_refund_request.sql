-- One row per refund that a customer asked for.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

refunds as (
    select * from {{ ref('fct_refund') }}
)

select
    refunds.customer_id,
    refunds.refund_id,
    refunds.requested_on,
    refunds.resolved_on
from changed
inner join refunds on refunds.customer_id = changed.customer_id
