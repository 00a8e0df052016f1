-- One row per row of a payment channel's own bill. Written by scripts/generate_staging.
select
    bill_row_id,
    channel,
    bill_on,
    row_kind,
    order_id,
    channel_transaction_id,
    channel_refund_id,
    merchant_refund_id,
    amount,
    fee_amount,
    currency,
    status,
    payer_account,
    occurred_at,
    {{ day_of('occurred_at') }} as occurred_on,
    bill_file,
    bill_row_number,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'settlement_bills') }}
