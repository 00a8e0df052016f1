-- One row per request for service.
with

requests as (
    select * from {{ ref('stg_service_requests') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    requests.service_request_id,
    scope.customer_id,
    coalesce(requests.campus_id, scope.campus_id) as campus_id,
    requests.kind,
    requests.opened_on,
    requests.opened_at,
    {{ once('requests.first_reply_on', 'requests.first_reply_at') }} as first_reply_at,
    cast(
        {{ once('requests.first_reply_on', rounded_hours('requests.opened_at', 'requests.first_reply_at')) }}
        as numeric(12, 2)
    ) as reply_hours,
    {{ once('requests.closed_on', 'requests.closed_on') }} as closed_on,
    {{ once('requests.closed_on', 'requests.closed_at') }} as closed_at,
    cast(
        {{ once('requests.closed_on', rounded_hours('requests.opened_at', 'requests.closed_at')) }} as numeric(12, 2)
    ) as resolution_hours
from scope
inner join requests on requests.learner_id = scope.learner_id
where requests.opened_on <= {{ as_of() }}
