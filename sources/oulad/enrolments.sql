-- One row per registration of a student for a presentation. It is the purchase, and its period the line. Who stayed
-- to the end has completed it, passed or failed; a withdrawal is a day of unregistration.
with

registrations as (
    select
        registration.code_module,
        registration.code_presentation,
        registration.id_student,
        info.final_result,
        presentations.starts_on,
        presentations.starts_on + presentations.module_presentation_length - 1 as ends_on,
        -- 45 registrations have no day: the presentation's first day.
        presentations.starts_on + coalesce(registration.registration_day, 0) as enrolled_on,
        presentations.starts_on + registration.unregistration_day as withdrawn_on,
        greatest(registration._load_id, info._load_id, presentations._load_id) as _load_id
    from {student_registration} as registration
    -- Outer joins, though each finds its row: from inner ones on several columns the planner expects next to none.
    left join {student_info} as info
        on
            registration.code_module = info.code_module
            and registration.code_presentation = info.code_presentation
            and registration.id_student = info.id_student
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
),

classified as (
    select
        registrations.*,
        -- 93 withdrawn students have no day of it, and 9 others have one.
        case
            when withdrawn_on is not null or final_result = 'Withdrawn' then 'withdrawn'
            when final_result is not null then 'completed'
            else 'active'
        end as status
    from registrations
)

select
    code_module || '-' || code_presentation || '-' || id_student as enrolment_id,
    id_student as learner_id,
    code_module as course_id,
    code_module || '-' || code_presentation as class_id,
    'OU' as campus_id,
    null::text as order_line_id,
    'self_paced' as delivery,
    status,
    enrolled_on,
    starts_on,
    ends_on,
    withdrawn_on,
    null::text as withdrawal_reason,
    case when status = 'completed' then ends_on end as completed_on,
    lower(final_result) as result,
    (coalesce(withdrawn_on, ends_on) + time '12:00') at time zone 'UTC' as updated_at,
    _load_id
from classified
