-- One row per charge that is an order of its own: it names a learner and no order of another system. What failed was
-- placed and not paid; what was refunded whole is told by its refunds.
select
    charge.id as order_id,
    charge.learner_id,
    null::text as contract_id,
    null::uuid as payer_name,
    null::uuid as payer_phone,
    null::uuid as payer_wechat_unionid,
    coalesce(charge.campus_id, 'stripe') as campus_id,
    null::text as coupon_id,
    case when charge.status = 'succeeded' then 'paid' else 'placed' end as status,
    charge.amount::numeric / case
        when charge.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when charge.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as list_amount,
    0 as discount_amount,
    charge.amount::numeric / case
        when charge.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when charge.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as payable_amount,
    upper(charge.currency) as currency,
    charge.created as placed_at,
    charge.created as updated_at,
    charge._load_id
from {charges} as charge
where
    charge.learner_id is not null
    and charge.order_id is null
