-- One row per day, channel, campus and campaign with spend. Written by scripts/generate_staging.
select
    channel_cost_id,
    cost_on,
    channel_code,
    campus_id,
    campaign_id,
    cost_amount,
    currency,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'channel_costs') }}
