-- One row per person registered for an activity.
with

leads as (
    select * from {{ ref('int_lead') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

changed_leads as (
    select * from {{ ref('changed_lead') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

of_changed as (
    select attendance.activity_attendance_id
    from scope
    inner join {{ ref('stg_activity_attendance') }} as attendance on attendance.learner_id = scope.learner_id
    where scope.is_in_teaching
    -- A registration may be found by its learner and by its lead.
    union
    select attendance.activity_attendance_id
    from changed_leads
    inner join {{ ref('stg_activity_attendance') }} as attendance on attendance.lead_id = changed_leads.lead_id
)

select
    attendance.activity_attendance_id,
    attendance.activity_id,
    registry.customer_id,
    attendance.lead_id,
    coalesce(learners.campus_id, leads.campus_id) as campus_id,
    -- Noted at the activity: of a row changed after the day of the build nothing is known.
    {{ once(day_of('attendance.updated_at'), 'attendance.is_attended') }} as is_attended,
    attendance.registered_on,
    attendance.registered_at
from of_changed
inner join {{ ref('stg_activity_attendance') }} as attendance
    on attendance.activity_attendance_id = of_changed.activity_attendance_id
left join leads on leads.lead_id = attendance.lead_id
left join learners on learners.learner_id = attendance.learner_id
left join registry on registry.learner_id = coalesce(learners.learner_id, leads.learner_id)
where
    attendance.registered_on <= {{ as_of() }}
    and coalesce(learners.learner_id, leads.lead_id) is not null
