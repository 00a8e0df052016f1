-- One row per learner and class or course taken. Written by scripts/generate_staging.
select
    enrolment_id,
    learner_id,
    course_id,
    class_id,
    campus_id,
    order_line_id,
    delivery,
    status,
    enrolled_on,
    starts_on,
    ends_on,
    withdrawn_on,
    withdrawal_reason,
    completed_on,
    result,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'enrolments') }}
