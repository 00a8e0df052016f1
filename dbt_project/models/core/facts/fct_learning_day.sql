-- One row per customer and day with a session in the learning app or site.
with

sessions as (
    select * from {{ ref('stg_learning_sessions') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    scope.customer_id || ':' || cast(sessions.started_on as text) as learning_day_id,
    scope.customer_id,
    scope.campus_id,
    sessions.started_on as learning_on,
    min(sessions.session_id) as first_session_id,
    count(*) as session_count,
    cast(sum(cast(sessions.activity_count as bigint)) as bigint) as activity_count,
    sum(sessions.duration_minutes) as duration_minutes,
    -- A session is study; a login is when it did something.
    max(case when sessions.kind is distinct from 'login' or sessions.activity_count > 0 then 1 else 0 end) = 1
        as is_study_day
from scope
inner join sessions on sessions.learner_id = scope.learner_id
where sessions.started_on <= {{ as_of() }}
group by scope.customer_id, scope.campus_id, sessions.started_on
