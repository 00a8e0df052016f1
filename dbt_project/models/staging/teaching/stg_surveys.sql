-- One row per survey response. Written by scripts/generate_staging.
select
    survey_id,
    learner_id,
    contact_id,
    kind,
    score,
    comment,
    comment is not null as has_comment,
    responded_at,
    {{ day_of('responded_at') }} as responded_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'surveys') }}
