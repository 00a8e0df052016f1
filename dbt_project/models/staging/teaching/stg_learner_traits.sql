-- One row per trait of a learner that somebody noted. Written by scripts/generate_staging.
select
    trait_id,
    learner_id,
    kind,
    code,
    noted_at,
    {{ day_of('noted_at') }} as noted_on,
    noted_by,
    withdrawn_at,
    {{ day_of('withdrawn_at') }} as withdrawn_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'learner_traits') }}
