-- One row per run and a refund request open in it, from the day it came to the day before it was settled.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

facts as (
    select * from {{ ref('int_lifecycle_refund_request') }}
),

known as (
    select
        customer_id,
        refund_id,
        requested_on,
        -- What is settled after the day of the build is still open on it.
        coalesce({{ once('resolved_on', 'resolved_on') }}, {{ far_day() }}) as settled_on
    from facts
    where requested_on <= {{ as_of() }}
)

select
    runs.customer_id,
    runs.run_no,
    known.requested_on as opened_on,
    known.settled_on as closed_on,
    {{ json_object({'refund_id': 'known.refund_id', 'requested_on': 'known.requested_on'}) }} as evidence
from runs
inner join known
    on
        known.customer_id = runs.customer_id
        and known.requested_on <= runs.ended_on
        and known.settled_on > runs.started_on
        and known.settled_on > known.requested_on
