-- One row per survey response.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

attendance as (
    select * from {{ ref('fct_attendance') }}
),

-- A response names no lesson; what the first lesson was like is said of the one attended last before the answer.
first_lessons as (
    select
        surveys.survey_id,
        attendance.course_id,
        row_number() over (
            partition by surveys.survey_id order by attendance.lesson_at desc, attendance.attendance_id desc
        ) as lesson_no
    from scope
    inner join {{ ref('stg_surveys') }} as surveys on surveys.learner_id = scope.learner_id
    inner join attendance
        on
            attendance.customer_id = scope.customer_id
            and attendance.outcome_class = 'attended'
            and attendance.lesson_at < surveys.responded_at
    where
        surveys.kind = 'first_lesson'
        and surveys.responded_on <= {{ as_of() }}
)

select
    surveys.survey_id,
    scope.customer_id,
    scope.campus_id,
    surveys.kind,
    first_lessons.course_id,
    surveys.score,
    surveys.responded_on,
    surveys.responded_at
from scope
inner join {{ ref('stg_surveys') }} as surveys on surveys.learner_id = scope.learner_id
left join first_lessons
    on
        first_lessons.survey_id = surveys.survey_id
        and first_lessons.lesson_no = 1
where surveys.responded_on <= {{ as_of() }}
