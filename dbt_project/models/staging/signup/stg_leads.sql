-- One row per enquiry as recorded (one person may be recorded more than once). Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'leads') }}
)

select
    lead_id,
    contact_id,
    campus_id,
    campaign_id,
    channel_code,
    advisor_id,
    learner_id,
    learner_name,
    learner_birth_date,
    learner_birth_year,
    learner_grade,
    subject_interest,
    intent,
    status,
    lost_reason,
    is_test,
    created_at,
    {{ day_of('created_at') }} as created_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
