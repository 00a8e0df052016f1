-- One row per person and experiment, with the arm drawn. Written by scripts/generate_staging.
select
    experiment_assignment_id,
    experiment_id,
    lead_id,
    learner_id,
    arm,
    assigned_at,
    {{ day_of('assigned_at') }} as assigned_on,
    responded_at,
    {{ day_of('responded_at') }} as responded_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'experiment_assignments') }}
