-- One row per exit interview. Written by scripts/generate_staging.
select
    exit_interview_id,
    learner_id,
    advisor_id,
    reason_code,
    offer_code,
    is_offer_accepted,
    answered_at,
    {{ day_of('answered_at') }} as answered_on,
    note,
    note is not null as has_note,
    interviewed_at,
    {{ day_of('interviewed_at') }} as interviewed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'exit_interviews') }}
