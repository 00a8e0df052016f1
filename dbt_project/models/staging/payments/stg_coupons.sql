-- One row per coupon issued. Written by scripts/generate_staging.
select
    coupon_id,
    learner_id,
    campaign_id,
    kind,
    value,
    currency,
    issued_at,
    {{ day_of('issued_at') }} as issued_on,
    expires_on,
    used_at,
    {{ day_of('used_at') }} as used_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'coupons') }}
