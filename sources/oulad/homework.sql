-- One row per registration and assessment of type TMA or CMA with a due day on which the registration's line holds:
-- from the day of registration to the presentation's last day, or to the day before a withdrawal. An assessment
-- banked from an earlier presentation is no homework for that student.
with

lines as (
    select
        registration.code_module,
        registration.code_presentation,
        registration.id_student,
        presentations.starts_on,
        presentations.starts_on + coalesce(registration.registration_day, 0) as granted_on,
        least(
            presentations.starts_on + presentations.module_presentation_length - 1,
            presentations.starts_on + registration.unregistration_day - 1
        ) as last_on,
        greatest(registration._load_id, presentations._load_id) as _load_id
    from {student_registration} as registration
    -- Outer joins, though each finds its row: from inner ones on several columns the planner expects next to none.
    left join (
        select
            code_module,
            code_presentation,
            make_date(
                left(code_presentation, 4)::integer, case right(code_presentation, 1) when 'B' then 2 else 10 end, 1
            ) as starts_on,
            module_presentation_length,
            _load_id
        from {courses} as courses
    ) as presentations
        on
            registration.code_module = presentations.code_module
            and registration.code_presentation = presentations.code_presentation
)

select
    assessment.id_assessment || '-' || lines.id_student as homework_id,
    lines.id_student as learner_id,
    lines.code_module || '-' || lines.code_presentation || '-' || lines.id_student as enrolment_id,
    null::text as lesson_id,
    assessment.assessment_type as topic,
    lines.starts_on + assessment.due_day as due_on,
    -- Only the day is known. Noon UTC is on that day in every zone from UTC-11 to UTC+11.
    (lines.starts_on + result.submitted_day + time '12:00') at time zone 'UTC' as submitted_at,
    result.score,
    (lines.starts_on + coalesce(result.submitted_day, assessment.due_day) + time '12:00') at time zone 'UTC' as updated_at,
    greatest(lines._load_id, assessment._load_id, result._load_id) as _load_id
from lines
inner join {assessments} as assessment
    on
        lines.code_module = assessment.code_module
        and lines.code_presentation = assessment.code_presentation
left join {student_assessment} as result
    on
        assessment.id_assessment = result.id_assessment
        and lines.id_student = result.id_student
where
    assessment.assessment_type in ('TMA', 'CMA')
    and lines.starts_on + assessment.due_day between lines.granted_on and lines.last_on
    and result.is_banked is not true
