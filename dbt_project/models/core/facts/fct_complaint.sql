-- One row per complaint.
with

complaints as (
    select * from {{ ref('stg_complaints') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

in_scope as (
    select
        complaints.complaint_id,
        scope.customer_id,
        coalesce(complaints.campus_id, scope.campus_id) as campus_id,
        complaints.category,
        complaints.severity,
        complaints.resolution_cost_amount,
        complaints.opened_on,
        complaints.opened_at,
        complaints.closed_on,
        complaints.closed_at
    from scope
    inner join complaints on complaints.learner_id = scope.learner_id
    where complaints.opened_on <= {{ as_of() }}
),

in_order as (
    select
        in_scope.*,
        row_number() over (
            partition by customer_id, category order by opened_at, complaint_id
        ) as category_no
    from in_scope
),

-- Earlier complaints of the same category count while they are not too old: on the last day still.
repeated as (
    select
        complaints.complaint_id,
        count(earlier.complaint_id) + 1 as recurrence_no
    from in_order as complaints
    {{ signup_rules_of('complaints.campus_id') }}
    left join in_order as earlier
        on
            earlier.customer_id = complaints.customer_id
            and earlier.category = complaints.category
            and earlier.category_no < complaints.category_no
            and earlier.opened_on >= {{ add_days('complaints.opened_on', '-rules.complaint_again_days') }}
    group by complaints.complaint_id
)

select
    complaints.complaint_id,
    complaints.customer_id,
    complaints.campus_id,
    complaints.category,
    complaints.severity,
    cast(repeated.recurrence_no as integer) as recurrence_no,
    cast({{ once('complaints.closed_on', 'complaints.resolution_cost_amount') }} as numeric(18, 2))
        as resolution_cost_amount,
    complaints.opened_on,
    complaints.opened_at,
    {{ once('complaints.closed_on', 'complaints.closed_on') }} as closed_on,
    {{ once('complaints.closed_on', 'complaints.closed_at') }} as closed_at,
    cast(
        {{ once('complaints.closed_on', rounded_hours('complaints.opened_at', 'complaints.closed_at')) }}
        as numeric(12, 2)
    ) as resolution_hours
from in_order as complaints
inner join repeated on repeated.complaint_id = complaints.complaint_id
