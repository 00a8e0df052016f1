-- One row per complaint.
with

complaints as (
    select * from {{ ref('stg_complaints') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    complaints.complaint_id,
    scope.customer_id,
    coalesce(complaints.campus_id, scope.campus_id) as campus_id,
    complaints.category,
    complaints.severity,
    cast({{ once('complaints.closed_on', 'complaints.resolution_cost_amount') }} as numeric(18, 2))
        as resolution_cost_amount,
    complaints.opened_on,
    complaints.opened_at,
    {{ once('complaints.closed_on', 'complaints.closed_on') }} as closed_on,
    {{ once('complaints.closed_on', 'complaints.closed_at') }} as closed_at
from scope
inner join complaints on complaints.learner_id = scope.learner_id
where complaints.opened_on <= {{ as_of() }}
