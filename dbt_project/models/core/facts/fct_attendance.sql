-- One row per learner and lesson, with the outcome.
with

attendance as (
    select * from {{ ref('stg_attendance') }}
),

lessons as (
    select * from {{ ref('stg_lessons') }}
),

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    attendance.attendance_id,
    scope.customer_id,
    lessons.campus_id,
    attendance.lesson_id,
    lessons.class_id,
    enrolments.course_id,
    lessons.teacher_id,
    attendance.enrolment_id,
    attendance.outcome,
    -- Late, left early and made up are attended; approved leave is no absence.
    case
        when attendance.outcome in ('absent', 'leave') then attendance.outcome
        else 'attended'
    end as outcome_class,
    attendance.hours,
    lessons.starts_on as lesson_on,
    lessons.starts_at as lesson_at,
    attendance.marked_at
from scope
inner join attendance on attendance.learner_id = scope.learner_id
inner join lessons on lessons.lesson_id = attendance.lesson_id
left join enrolments on enrolments.enrolment_id = attendance.enrolment_id
where
    lessons.starts_on <= {{ as_of() }}
    and lessons.status <> 'cancelled'
