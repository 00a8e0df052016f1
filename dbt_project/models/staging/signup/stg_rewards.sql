-- One row per reward given for a referral, to either side. Written by scripts/generate_staging.
select
    reward_id,
    referral_id,
    beneficiary,
    learner_id,
    kind,
    amount,
    currency,
    granted_at,
    {{ day_of('granted_at') }} as granted_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'rewards') }}
