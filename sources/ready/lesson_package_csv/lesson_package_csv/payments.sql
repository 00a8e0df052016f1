-- One row per package that was paid here; what was paid by Stripe comes from Stripe.
select
    package.package_id || '-p' as payment_id,
    package.package_id as order_id,
    null::text as instalment_id,
    package.paid_by as method,
    'succeeded' as status,
    package.paid as amount,
    null::numeric as fee_amount,
    package.currency,
    null::text as channel_transaction_id,
    package.bought_at as paid_at,
    package.changed as updated_at,
    package._load_id
from {packages} as package
where
    package.paid > 0
    and package.paid_by <> 'stripe'
