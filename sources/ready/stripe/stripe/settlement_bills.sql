-- One row per balance transaction of a charge or a refund: Stripe's own bill. Payouts and Stripe's own fees are no
-- payments and stay in raw; so does a refund that failed, whose money came back by another balance transaction.
--
-- Amounts are those of the charge or refund. A balance transaction's own are converted to the currency in which the
-- account settles: a fee in another currency than the charge's is left out, since currencies are never converted here.
select
    'stripe|' || balance.id as bill_row_id,
    'stripe' as channel,
    (balance.created at time zone {timezone})::date as bill_on,
    case when balance.type in ('charge', 'payment') then 'payment' else 'refund' end as row_kind,
    coalesce(balance.order_id, balance.charge, balance.source) as order_id,
    coalesce(balance.charge, balance.source) as channel_transaction_id,
    case when balance.type in ('refund', 'payment_refund') then balance.source end as channel_refund_id,
    case when balance.type in ('refund', 'payment_refund') then balance.source end as merchant_refund_id,
    case when balance.type in ('charge', 'payment') then 1 else -1 end
    * coalesce(balance.source_amount, abs(balance.amount))::numeric / case
        when coalesce(balance.source_currency, balance.currency) in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when coalesce(balance.source_currency, balance.currency) in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as amount,
    case
        when coalesce(balance.source_currency, balance.currency) = balance.currency
            then balance.fee::numeric / case
                when balance.currency in
                    ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
                    then 1
                when balance.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
                else 100
            end
    end as fee_amount,
    upper(coalesce(balance.source_currency, balance.currency)) as currency,
    balance.status,
    null::uuid as payer_account,
    balance.created as occurred_at,
    'stripe' as bill_file,
    1 as bill_row_number,
    balance._load_id
from {balance_transactions} as balance
where
    balance.type in ('charge', 'payment', 'refund', 'payment_refund')
    and not exists (
        select 1
        from {balance_transactions} as failure
        where
            failure.type = 'refund_failure'
            and failure.source = balance.source
    )
