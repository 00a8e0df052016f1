-- One row per charge that names a learner or an order. The fee is that of its balance transaction, once it has
-- one, and left out where the account settles in another currency than the charge's.
select
    charge.id as payment_id,
    coalesce(charge.order_id, charge.id) as order_id,
    null::text as instalment_id,
    'card' as method,
    charge.status,
    charge.amount::numeric / case
        when charge.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when charge.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as amount,
    case
        when balance.currency = charge.currency
            then balance.fee::numeric / case
                when balance.currency in
                    ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
                    then 1
                when balance.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
                else 100
            end
    end as fee_amount,
    upper(charge.currency) as currency,
    charge.id as channel_transaction_id,
    charge.created as paid_at,
    charge.created as updated_at,
    greatest(charge._load_id, balance._load_id) as _load_id
from {charges} as charge
left join {balance_transactions} as balance on balance.id = charge.balance_transaction
where coalesce(charge.order_id, charge.learner_id) is not null
