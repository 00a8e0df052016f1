-- One row per handover of a customer from sales to teaching, with what was needed to begin.
with

handovers as (
    select * from {{ ref('stg_handovers') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

handed_over as (
    select
        scope.customer_id,
        scope.campus_id,
        handovers.*
    from scope
    inner join handovers on handovers.learner_id = scope.learner_id
    where handovers.handed_over_on <= {{ as_of() }}
),

-- The purchase that led to it: the last one by the day of the handover.
bought as (
    select
        handed_over.handover_id,
        max(orders.purchased_on) as purchased_on
    from handed_over
    inner join {{ ref('fct_order') }} as orders on orders.customer_id = handed_over.customer_id
    where orders.purchased_on <= handed_over.handed_over_on
    group by handed_over.handover_id
),

studied as (
    select
        handed_over.handover_id,
        attendance.lesson_on as study_on
    from handed_over
    inner join bought on bought.handover_id = handed_over.handover_id
    inner join {{ ref('fct_attendance') }} as attendance on attendance.customer_id = handed_over.customer_id
    where
        attendance.outcome_class = 'attended'
        and attendance.lesson_on >= bought.purchased_on
    union all
    select
        handed_over.handover_id,
        learning_days.learning_on as study_on
    from handed_over
    inner join bought on bought.handover_id = handed_over.handover_id
    inner join {{ ref('fct_learning_day') }} as learning_days on learning_days.customer_id = handed_over.customer_id
    where
        learning_days.is_study_day
        and learning_days.learning_on >= bought.purchased_on
),

begun as (
    select
        handover_id,
        min(study_on) as first_study_on
    from studied
    group by handover_id
)

select
    handed_over.handover_id,
    handed_over.customer_id,
    handed_over.campus_id,
    handed_over.advisor_id,
    handed_over.teacher_id,
    handed_over.has_pain_points,
    handed_over.has_goals,
    handed_over.has_first_lesson_plan,
    {{ once('handed_over.documents_on', 'handed_over.documents_at') }} as documents_at,
    {{ once('handed_over.account_on', 'handed_over.account_at') }} as account_at,
    {{ once('handed_over.timetable_on', 'handed_over.timetable_at') }} as timetable_at,
    handed_over.handed_over_on,
    handed_over.handed_over_at,
    {{ once('handed_over.accepted_on', 'handed_over.accepted_on') }} as accepted_on,
    {{ once('handed_over.accepted_on', 'handed_over.accepted_at') }} as accepted_at,
    coalesce(
        handed_over.documents_on <= {{ as_of() }}
        and handed_over.account_on <= {{ as_of() }}
        and handed_over.timetable_on <= {{ as_of() }}, false
    ) as is_activated,
    bought.purchased_on,
    begun.first_study_on,
    {{ days_between('bought.purchased_on', 'begun.first_study_on') }} as activation_days
from handed_over
left join bought on bought.handover_id = handed_over.handover_id
left join begun on begun.handover_id = handed_over.handover_id
