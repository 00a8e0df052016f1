-- One row per learning goal of a learner. Written by scripts/generate_staging.
select
    goal_id,
    learner_id,
    enrolment_id,
    subject,
    baseline_score,
    expected_score,
    actual_score,
    set_on,
    due_on,
    measured_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'goals') }}
