-- One row per learner and test taken. Written by scripts/generate_staging.
select
    assessment_result_id,
    learner_id,
    enrolment_id,
    course_id,
    kind,
    topic,
    taken_on,
    score,
    max_score,
    is_banked,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'assessments') }}
