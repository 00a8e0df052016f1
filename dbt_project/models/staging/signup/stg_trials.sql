-- One row per trial lesson booked. Written by scripts/generate_staging.
select
    trial_id,
    lead_id,
    campus_id,
    course_id,
    teacher_id,
    booked_at,
    {{ day_of('booked_at') }} as booked_on,
    scheduled_at,
    {{ day_of('scheduled_at') }} as scheduled_on,
    cancelled_at,
    {{ day_of('cancelled_at') }} as cancelled_on,
    status,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'trials') }}
