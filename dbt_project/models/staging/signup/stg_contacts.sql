-- One row per contact person of a household or company. Written by scripts/generate_staging.
select
    contact_id,
    campus_id,
    name,
    phone,
    phone_is_valid,
    wechat_unionid,
    email,
    relation,
    is_decision_maker,
    region,
    community,
    income_band,
    education,
    occupation,
    created_at,
    {{ day_of('created_at') }} as created_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'contacts') }}
