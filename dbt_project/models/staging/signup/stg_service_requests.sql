-- One row per request for service. Written by scripts/generate_staging.
select
    service_request_id,
    learner_id,
    contact_id,
    campus_id,
    kind,
    text,
    text is not null as has_text,
    opened_at,
    {{ day_of('opened_at') }} as opened_on,
    first_reply_at,
    {{ day_of('first_reply_at') }} as first_reply_on,
    closed_at,
    {{ day_of('closed_at') }} as closed_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'service_requests') }}
