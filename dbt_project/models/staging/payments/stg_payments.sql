-- One row per payment, successful or not. Written by scripts/generate_staging.
select
    payment_id,
    order_id,
    instalment_id,
    method,
    status,
    amount,
    fee_amount,
    currency,
    channel_transaction_id,
    paid_at,
    {{ day_of('paid_at') }} as paid_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'payments') }}
