-- One row per learning goal that was set by the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

goals as (
    select * from {{ ref('stg_goals') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

known as (
    select
        goals.goal_id,
        scope.customer_id,
        scope.campus_id,
        goals.enrolment_id,
        goals.subject,
        goals.baseline_score,
        goals.expected_score,
        {{ once('goals.measured_on', 'goals.actual_score') }} as actual_score,
        goals.set_on,
        goals.due_on,
        {{ once('goals.measured_on', 'goals.measured_on') }} as measured_on
    from scope
    inner join goals on goals.learner_id = scope.learner_id
    where goals.set_on <= {{ as_of() }}
)

select
    goal_id,
    customer_id,
    campus_id,
    enrolment_id,
    subject,
    baseline_score,
    expected_score,
    actual_score,
    actual_score - baseline_score as gained_score,
    set_on,
    due_on,
    measured_on,
    case
        when actual_score >= expected_score then 'reached'
        when actual_score is not null then 'missed'
        when due_on <= {{ as_of() }} then 'overdue'
        else 'open'
    end as status
from known
