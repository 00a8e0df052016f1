-- One row per marketing campaign. Written by scripts/generate_staging.
select
    campaign_id,
    name,
    channel_code,
    starts_on,
    ends_on,
    budget_amount,
    currency,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'campaigns') }}
