-- One row per person registered for an activity. Written by scripts/generate_staging.
select
    activity_attendance_id,
    activity_id,
    contact_id,
    lead_id,
    learner_id,
    is_attended,
    registered_at,
    {{ day_of('registered_at') }} as registered_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'activity_attendance') }}
