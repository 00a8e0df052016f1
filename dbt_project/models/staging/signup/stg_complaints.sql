-- One row per complaint. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'complaints') }}
)

select
    complaint_id,
    learner_id,
    contact_id,
    campus_id,
    category,
    severity,
    text,
    resolution,
    resolution_cost_amount,
    opened_at,
    {{ day_of('opened_at') }} as opened_on,
    closed_at,
    {{ day_of('closed_at') }} as closed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
