-- One row per complaint. Written by scripts/generate_staging.
select
    complaint_id,
    learner_id,
    contact_id,
    campus_id,
    category,
    severity,
    text,
    text is not null as has_text,
    resolution,
    resolution is not null as has_resolution,
    resolution_cost_amount,
    opened_at,
    {{ day_of('opened_at') }} as opened_on,
    closed_at,
    {{ day_of('closed_at') }} as closed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'complaints') }}
