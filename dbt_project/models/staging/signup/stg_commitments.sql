-- One row per promise made to a family. Written by scripts/generate_staging.
select
    commitment_id,
    learner_id,
    contact_id,
    owner_id,
    kind,
    due_on,
    made_at,
    {{ day_of('made_at') }} as made_on,
    kept_at,
    {{ day_of('kept_at') }} as kept_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'commitments') }}
