-- One row per phone, WeChat unionid, e-mail or contact that stands beside too many people to bind any of them.
select
    -- A place instead of the token: nothing made of a token leaves core, and equal nights give equal rows.
    shared.kind || ':' || cast(
        row_number() over (
            partition by shared.kind
            order by shared.records desc, shared.learners desc, shared.guardians desc, shared.value
        ) as text
    ) as shared_key_id,
    shared.kind,
    shared.learners,
    shared.guardians,
    shared.records
from {{ source('identity', 'identity_shared_key') }} as shared
