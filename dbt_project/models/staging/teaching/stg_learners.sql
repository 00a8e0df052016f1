-- One row per learner in the teaching system. Written by scripts/generate_staging.
with

rows_now as (
    select * from {{ source('canonical', 'learners') }}
)

select
    learner_id,
    household_id,
    campus_id,
    name,
    nickname,
    birth_date,
    birth_year,
    gender,
    grade,
    school,
    region,
    guardian_name,
    guardian_phone,
    guardian_phone_is_valid,
    guardian_wechat_unionid,
    acquisition_channel,
    status,
    is_test,
    is_staff_child,
    registered_at,
    {{ day_of('registered_at') }} as registered_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from rows_now
