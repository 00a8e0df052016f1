-- Question: Of the money that came in each month, how much went back within 30 days, and how much in all so far?
-- Returns: one row per month of payment (last twelve): billings, refunds within 30 days of the payment and their rate
--   (refund_rate_amount_d30; empty while 30 days have not passed for the whole month), refunds so far and their rate.
-- Caveat: a refund counts in the month of the payment it refunds, not in its own. Recent months have had less time.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

paid as (
    select
        payments.payment_id,
        payments.paid_on,
        cast(date_trunc('month', payments.paid_on) as date) as month_on,
        payments.amount
    from marts.fct_payment as payments
    cross join as_of
    where
        payments.status = 'succeeded'
        and payments.currency = 'CNY'
        and payments.paid_on >= date_trunc('month', as_of.day_on) - interval '11 months'
),

paid_back as (
    select
        paid.payment_id,
        sum(refunds.refunded_amount) as so_far,
        sum(refunds.refunded_amount) filter (where refunds.resolved_on <= paid.paid_on + 30) as within_30_days
    from paid
    inner join marts.fct_refund as refunds on refunds.payment_id = paid.payment_id
    where refunds.resolution = 'paid'
    group by paid.payment_id
),

by_month as (
    select
        paid.month_on,
        -- The last payment of the month has had its 30 days.
        cast(paid.month_on + interval '1 month' as date) - 1 + 30 <= as_of.day_on as is_mature,
        sum(paid.amount) as billed_amount,
        coalesce(sum(paid_back.within_30_days), 0) as refunded_d30_amount,
        coalesce(sum(paid_back.so_far), 0) as refunded_amount
    from paid
    cross join as_of
    left join paid_back on paid_back.payment_id = paid.payment_id
    group by paid.month_on, as_of.day_on
)

select
    month_on,
    is_mature,
    billed_amount,
    case when is_mature then refunded_d30_amount end as refunded_d30_amount,
    case when is_mature then round(refunded_d30_amount / nullif(billed_amount, 0), 4) end as refund_rate_amount_d30,
    refunded_amount,
    round(refunded_amount / nullif(billed_amount, 0), 4) as refund_rate_amount_so_far
from by_month
order by month_on;
