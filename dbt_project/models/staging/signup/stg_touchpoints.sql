-- One row per contact between the institution and a prospect or family. Written by scripts/generate_staging.
select
    touchpoint_id,
    lead_id,
    contact_id,
    learner_id,
    advisor_id,
    channel,
    direction,
    outcome,
    sentiment,
    note,
    note is not null as has_note,
    occurred_at,
    {{ day_of('occurred_at') }} as occurred_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'touchpoints') }}
