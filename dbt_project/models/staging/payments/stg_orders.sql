-- One row per order. Written by scripts/generate_staging.
select
    order_id,
    learner_id,
    contract_id,
    payer_name,
    payer_phone,
    payer_wechat_unionid,
    campus_id,
    coupon_id,
    status,
    list_amount,
    discount_amount,
    payable_amount,
    currency,
    placed_at,
    {{ day_of('placed_at') }} as placed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'orders') }}
