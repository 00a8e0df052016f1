-- One row per learner and lesson, with the outcome.
with

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

-- Lessons taken to make up for another one, with the day of the one missed where the learner had a seat in it.
makeups as (
    select
        attendance.attendance_id,
        attendance.learner_id,
        attendance.makes_up_lesson_id,
        lessons.starts_on as made_up_on,
        min(missed_lessons.starts_on) as missed_on
    from scope
    inner join {{ ref('stg_attendance') }} as attendance on attendance.learner_id = scope.learner_id
    inner join {{ ref('stg_lessons') }} as lessons on lessons.lesson_id = attendance.lesson_id
    left join {{ ref('stg_attendance') }} as missed
        on
            missed.learner_id = attendance.learner_id
            and missed.lesson_id = attendance.makes_up_lesson_id
    left join {{ ref('stg_lessons') }} as missed_lessons
        on
            missed_lessons.lesson_id = missed.lesson_id
            and missed_lessons.starts_on <= {{ as_of() }}
    where
        attendance.makes_up_lesson_id is not null
        and attendance.outcome = 'made_up'
        and lessons.starts_on <= {{ as_of() }}
        and lessons.status <> 'cancelled'
    group by attendance.attendance_id, attendance.learner_id, attendance.makes_up_lesson_id, lessons.starts_on
),

made_up as (
    select
        learner_id,
        makes_up_lesson_id as lesson_id,
        min(made_up_on) as made_up_on
    from makeups
    group by learner_id, makes_up_lesson_id
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
    attendance.marked_at,
    makeups.makes_up_lesson_id,
    makeups.missed_on as makes_up_lesson_on,
    case when attendance.outcome in ('absent', 'leave') then made_up.made_up_on end as made_up_on,
    case when attendance.outcome = 'leave' then attendance.leave_reason end as leave_reason,
    case
        when attendance.outcome = 'leave'
            then {{ once('attendance.leave_requested_on', 'attendance.leave_requested_at') }}
    end as leave_requested_at
from scope
inner join {{ ref('stg_attendance') }} as attendance on attendance.learner_id = scope.learner_id
inner join {{ ref('stg_lessons') }} as lessons on lessons.lesson_id = attendance.lesson_id
left join enrolments on enrolments.enrolment_id = attendance.enrolment_id
left join makeups on makeups.attendance_id = attendance.attendance_id
left join made_up
    on
        made_up.learner_id = attendance.learner_id
        and made_up.lesson_id = attendance.lesson_id
where
    lessons.starts_on <= {{ as_of() }}
    and lessons.status <> 'cancelled'
