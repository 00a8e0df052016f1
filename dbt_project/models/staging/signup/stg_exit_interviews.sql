-- One row per exit interview. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'exit_interviews') }}
)

select
    exit_interview_id,
    learner_id,
    advisor_id,
    reason_code,
    offer_code,
    is_offer_accepted,
    note,
    interviewed_at,
    {{ day_of('interviewed_at') }} as interviewed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
