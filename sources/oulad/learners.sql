-- One row per student, with the attributes of the latest registration. Only bands of age are known, so no birth year.
with

registrations as (
    select
        registration.id_student,
        registration.code_module,
        info.gender,
        info.region,
        presentations.starts_on,
        -- 45 registrations have no day: the presentation's first day.
        presentations.starts_on + coalesce(registration.registration_day, 0) as registered_on,
        greatest(info._load_id, registration._load_id, presentations._load_id) as _load_id
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
            _load_id
        from {courses} as courses
    ) as presentations
        on
            registration.code_module = presentations.code_module
            and registration.code_presentation = presentations.code_presentation
)

select
    id_student as learner_id,
    null::text as household_id,
    'OU' as campus_id,
    null::uuid as name,
    null::uuid as nickname,
    null::uuid as name_core,
    null::uuid as birth_date,
    null::uuid as birth_date_swapped,
    null::integer as birth_year,
    lower((array_agg(gender order by starts_on desc, code_module desc))[1]) as gender,
    null::text as grade,
    null::text as school,
    (array_agg(region order by starts_on desc, code_module desc))[1] as region,
    null::uuid as guardian_name,
    null::uuid as guardian_phone,
    null::boolean as guardian_phone_is_valid,
    null::uuid as guardian_wechat_unionid,
    null::text as acquisition_channel,
    null::text as status,
    false as is_test,
    false as is_staff_child,
    (min(registered_on) + time '12:00') at time zone 'UTC' as registered_at,
    (max(registered_on) + time '12:00') at time zone 'UTC' as updated_at,
    max(_load_id) as _load_id
from registrations
group by id_student
