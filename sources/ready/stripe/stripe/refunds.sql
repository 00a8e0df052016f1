-- One row per refund of such a charge. Stripe's pending ones are open, failed and cancelled ones are not paid.
--
-- An order is given up by the refund that, with those that succeeded before it, pays back all that was charged for it
-- until then. Of another system's order only what Stripe charged is known here: what was paid by other means is not.
select
    refund.id as refund_id,
    coalesce(refund.order_id, refund.charge) as order_id,
    case when refund.order_id is null then refund.charge || '-1' end as order_line_id,
    refund.charge as payment_id,
    refund.amount::numeric / case
        when refund.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when refund.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as amount,
    upper(refund.currency) as currency,
    refund.amount + refund.paid_back_before >= greatest(charged.amount, refund.charge_amount) as is_whole_line,
    -- Stripe's reasons (duplicate, fraudulent, requested_by_customer) say nothing about why somebody leaves.
    null::text as reason_code,
    case refund.status
        when 'succeeded' then 'paid'
        when 'failed' then 'rejected'
        when 'canceled' then 'withdrawn'
    end as resolution,
    refund.id as channel_refund_id,
    refund.created as requested_at,
    case when refund.status in ('succeeded', 'failed', 'canceled') then refund.created end as resolved_at,
    refund.created as updated_at,
    greatest(refund.last_load_id, charged.last_load_id) as _load_id
from (
    select
        each_refund.*,
        coalesce(
            sum(each_refund.amount) filter (where each_refund.status = 'succeeded') over (
                so_far rows between unbounded preceding and 1 preceding
            ), 0
        ) as paid_back_before,
        max(each_refund._load_id) over so_far as last_load_id
    from {refunds} as each_refund
    window so_far as (
        partition by coalesce(each_refund.order_id, each_refund.charge), each_refund.currency
        order by each_refund.created, each_refund.id
    )
) as refund
left join (
    select
        charge_refund.id as refund_id,
        sum(charge.amount) as amount,
        max(charge._load_id) as last_load_id
    from {refunds} as charge_refund
    inner join {charges} as charge
        on
            coalesce(charge.order_id, charge.id) = coalesce(charge_refund.order_id, charge_refund.charge)
            and charge.currency = charge_refund.currency
            and charge.status = 'succeeded'
            and charge.created <= charge_refund.created
    group by charge_refund.id
) as charged on charged.refund_id = refund.id
where coalesce(refund.order_id, refund.learner_id) is not null
