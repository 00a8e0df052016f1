-- One row per payment, paid refund or bill row of a channel that sends bills: the two sides side by side.
with

rules as (
    select * from {{ ref('reconciliation_rules') }}
),

orders as (
    select * from {{ ref('fct_order') }}
),

payments as (
    select * from {{ ref('fct_payment') }}
),

refunds as (
    select * from {{ ref('fct_refund') }}
),

-- A bill lists a refund as soon as the channel took it on: ours may still be open, or be refused later.
unpaid_refunds as (
    select * from refunds
    where resolution is distinct from 'paid'
),

staged_refunds as (
    select
        refund_id,
        channel_refund_id
    from {{ ref('stg_refunds') }}
),

bill_rows as (
    select * from {{ ref('stg_settlement_bills') }}
    -- The bill of a day comes the next morning: on the day of the build it is not there yet.
    where bill_on < {{ as_of() }}
),

-- Days before a channel's first bill cannot be compared, nor can channels that send none.
channels as (
    select
        rules.channel,
        rules.method,
        rules.amount_tolerance,
        rules.fee_tolerance,
        rules.transit_days,
        min(bill_rows.bill_on) as first_bill_on
    from rules
    inner join bill_rows on bill_rows.channel = rules.channel
    group by rules.channel, rules.method, rules.amount_tolerance, rules.fee_tolerance, rules.transit_days
),

ours as (
    select
        channels.channel,
        'payment' as row_kind,
        payments.channel_transaction_id as match_key,
        payments.payment_id as own_id,
        payments.payment_id,
        cast(null as text) as refund_id,
        payments.order_id,
        payments.customer_id,
        payments.campus_id,
        payments.paid_on as day_on,
        payments.amount,
        payments.fee_amount,
        payments.currency
    from payments
    inner join channels on channels.method = payments.method
    where
        payments.status = 'succeeded'
        and payments.amount > 0
        and payments.paid_on >= channels.first_bill_on
    union all
    select
        channels.channel,
        'refund' as row_kind,
        refunds.refund_id as match_key,
        refunds.refund_id as own_id,
        refunds.payment_id,
        refunds.refund_id,
        refunds.order_id,
        refunds.customer_id,
        refunds.campus_id,
        refunds.resolved_on as day_on,
        -refunds.refunded_amount as amount,
        null as fee_amount,
        refunds.currency
    from refunds
    inner join payments on payments.payment_id = refunds.payment_id
    inner join channels on channels.method = payments.method
    where
        refunds.resolution = 'paid'
        and refunds.refunded_amount > 0
        and refunds.resolved_on >= channels.first_bill_on
),

theirs as (
    select
        bill_rows.channel,
        bill_rows.row_kind,
        -- A bill that leaves out the merchant's number still has the channel's.
        case
            when bill_rows.row_kind = 'payment' then bill_rows.channel_transaction_id
            else coalesce(bill_rows.merchant_refund_id, staged_refunds.refund_id)
        end as match_key,
        bill_rows.bill_row_id,
        bill_rows.order_id,
        bill_rows.bill_on,
        bill_rows.amount,
        bill_rows.fee_amount,
        bill_rows.currency,
        bill_rows.status
    from bill_rows
    inner join channels on channels.channel = bill_rows.channel
    left join staged_refunds
        on
            bill_rows.merchant_refund_id is null
            and staged_refunds.channel_refund_id = bill_rows.channel_refund_id
),

-- The same number twice on one side is paired once: the other row stays alone.
ours_numbered as (
    select
        ours.*,
        row_number() over (partition by channel, row_kind, match_key order by day_on, own_id) as occurrence
    from ours
),

theirs_numbered as (
    select
        theirs.*,
        row_number() over (partition by channel, row_kind, match_key order by bill_on, bill_row_id) as occurrence
    from theirs
),

paired as (
    select
        coalesce(ours_numbered.channel, theirs_numbered.channel) as channel,
        coalesce(ours_numbered.row_kind, theirs_numbered.row_kind) as row_kind,
        ours_numbered.own_id,
        theirs_numbered.bill_row_id,
        coalesce(ours_numbered.payment_id, unpaid_refunds.payment_id) as payment_id,
        coalesce(ours_numbered.refund_id, unpaid_refunds.refund_id) as refund_id,
        coalesce(ours_numbered.order_id, unpaid_refunds.order_id, theirs_numbered.order_id) as order_id,
        coalesce(ours_numbered.customer_id, unpaid_refunds.customer_id) as customer_id,
        coalesce(ours_numbered.campus_id, unpaid_refunds.campus_id) as campus_id,
        coalesce(ours_numbered.day_on, theirs_numbered.bill_on) as day_on,
        theirs_numbered.bill_on,
        ours_numbered.amount,
        theirs_numbered.amount as bill_amount,
        ours_numbered.fee_amount,
        theirs_numbered.fee_amount as bill_fee_amount,
        ours_numbered.currency,
        theirs_numbered.currency as bill_currency,
        theirs_numbered.status as bill_status,
        unpaid_refunds.refund_id is not null and unpaid_refunds.resolution is null as is_refund_open
    from ours_numbered
    full join theirs_numbered
        on
            theirs_numbered.channel = ours_numbered.channel
            and theirs_numbered.row_kind = ours_numbered.row_kind
            and theirs_numbered.match_key = ours_numbered.match_key
            and theirs_numbered.occurrence = ours_numbered.occurrence
    left join unpaid_refunds
        on
            theirs_numbered.row_kind = 'refund'
            and theirs_numbered.occurrence = 1
            and unpaid_refunds.refund_id = theirs_numbered.match_key
),

judged as (
    select
        paired.*,
        case
            when paired.own_id is null and paired.is_refund_open then 'in_transit'
            when paired.own_id is null then 'missing_in_orders'
            when paired.bill_row_id is null and paired.day_on > {{ add_days(as_of(), '-channels.transit_days') }}
                then 'in_transit'
            when paired.bill_row_id is null then 'missing_in_bill'
            when paired.currency <> paired.bill_currency then 'amount_differs'
            when abs(paired.amount - paired.bill_amount) > channels.amount_tolerance then 'amount_differs'
            when abs(paired.fee_amount - paired.bill_fee_amount) > channels.fee_tolerance then 'fee_differs'
            else 'matched'
        end as reconciliation_status
    from paired
    inner join channels on channels.channel = paired.channel
),

aged as (
    select
        judged.*,
        case when reconciliation_status <> 'matched' then {{ days_between('day_on', as_of()) }} end as open_days
    from judged
)

select
    aged.channel || ':' || aged.row_kind || ':' || coalesce(aged.own_id, '') || ':'
    || coalesce(aged.bill_row_id, '') as reconciliation_id,
    -- A bill row that names an order of ours is its customer's, even without a payment there.
    coalesce(aged.customer_id, orders.customer_id) as customer_id,
    coalesce(aged.campus_id, orders.campus_id) as campus_id,
    aged.channel,
    aged.row_kind,
    aged.reconciliation_status,
    aged.payment_id,
    aged.refund_id,
    aged.order_id,
    aged.bill_row_id,
    aged.day_on,
    aged.bill_on,
    aged.amount,
    aged.bill_amount,
    cast(coalesce(aged.amount, 0) - coalesce(aged.bill_amount, 0) as numeric(18, 2)) as difference_amount,
    aged.fee_amount,
    aged.bill_fee_amount,
    aged.currency,
    aged.bill_currency,
    aged.bill_status,
    aged.open_days,
    case
        when aged.open_days <= 2 then '0-2'
        when aged.open_days <= 7 then '3-7'
        when aged.open_days <= 30 then '8-30'
        when aged.open_days > 30 then 'over 30'
    end as age_bucket
from aged
left join orders on orders.order_id = aged.order_id
