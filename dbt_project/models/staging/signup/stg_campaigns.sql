-- One row per marketing campaign. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'campaigns') }}
)

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
from rows_now
