-- One row per learning goal of a customer that was set by the day of the build, with its result once measured.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

goals as (
    select * from {{ ref('stg_goals') }}
)

select
    scope.customer_id,
    goals.goal_id,
    goals.subject,
    goals.expected_score,
    {{ once('goals.measured_on', 'goals.actual_score') }} as actual_score,
    goals.set_on,
    goals.due_on,
    {{ once('goals.measured_on', 'goals.measured_on') }} as measured_on
from scope
inner join goals on goals.learner_id = scope.learner_id
where goals.set_on <= {{ as_of() }}
