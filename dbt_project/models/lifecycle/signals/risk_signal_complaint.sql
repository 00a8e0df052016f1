-- One row per run and a complaint open in it, from the day it came to the day before it was settled.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

facts as (
    select * from {{ ref('int_lifecycle_complaint') }}
),

known as (
    select
        customer_id,
        complaint_id,
        opened_on,
        -- What is settled after the day of the build is still open on it.
        coalesce({{ once('closed_on', 'closed_on') }}, {{ far_day() }}) as settled_on
    from facts
    where opened_on <= {{ as_of() }}
)

select
    runs.customer_id,
    runs.run_no,
    known.opened_on as opened_on,
    known.settled_on as closed_on,
    {{ json_object({'complaint_id': 'known.complaint_id', 'opened_on': 'known.opened_on'}) }} as evidence
from runs
inner join known
    on
        known.customer_id = runs.customer_id
        and known.opened_on <= runs.ended_on
        and known.settled_on > runs.started_on
        and known.settled_on > known.opened_on
