-- One row per test taken and topic in it. Written by scripts/generate_staging.
select
    assessment_topic_id,
    assessment_result_id,
    learner_id,
    topic,
    score,
    max_score,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'assessment_topics') }}
