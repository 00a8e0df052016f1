-- One row per experiment on touchpoints, with two arms. Written by scripts/generate_staging.
select
    experiment_id,
    name,
    metric_code,
    window_days,
    planned_units,
    treatment_share,
    starts_on,
    ends_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'experiments') }}
