-- One row per refund request. Written by scripts/generate_staging.
select
    refund_id,
    order_id,
    order_line_id,
    payment_id,
    amount,
    currency,
    is_whole_line,
    reason_code,
    resolution,
    channel_refund_id,
    requested_at,
    {{ day_of('requested_at') }} as requested_on,
    resolved_at,
    {{ day_of('resolved_at') }} as resolved_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'refunds') }}
