-- One row per run and stretch of grace days in it: served, but entitled by no line.
with

lines as (
    select
        customer_id,
        run_no,
        run_ended_on,
        max(covers_to) over (
            partition by customer_id
            order by granted_on, line_id
        ) as covered_to,
        -- What the grace reached to when it began: a later purchase lengthens the run, not what was known then.
        max(served_to) over (
            partition by customer_id, run_no
            order by granted_on, line_id
        ) as served_to,
        lead(granted_on) over (
            partition by customer_id
            order by granted_on, line_id
        ) as next_granted_on
    from {{ ref('int_entitlement') }}
)

select
    customer_id,
    run_no,
    {{ add_days('covered_to', 1) }} as opened_on,
    coalesce(next_granted_on, {{ far_day() }}) as closed_on,
    {{ json_object({
        'entitled_to': 'covered_to',
        'served_to': 'served_to',
    }) }} as evidence
from lines
where
    run_no is not null
    and covered_to < run_ended_on
    and coalesce(next_granted_on, {{ far_day() }}) > {{ add_days('covered_to', 1) }}
