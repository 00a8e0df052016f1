-- One row per referral of a new lead by an existing family. Written by scripts/generate_staging.
select
    referral_id,
    referrer_learner_id,
    referrer_contact_id,
    referred_lead_id,
    source_type,
    referred_at,
    {{ day_of('referred_at') }} as referred_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'referrals') }}
