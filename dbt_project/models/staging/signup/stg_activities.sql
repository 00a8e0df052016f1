-- One row per event the institution holds. Written by scripts/generate_staging.
select
    activity_id,
    campus_id,
    kind,
    title,
    starts_at,
    {{ day_of('starts_at') }} as starts_on,
    capacity,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'activities') }}
