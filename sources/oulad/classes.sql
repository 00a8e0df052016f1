-- One row per presentation of a module. B presentations begin on 1 February, J ones on 1 October.
with

presentations as (
    select
        code_module,
        code_presentation,
        make_date(
            left(code_presentation, 4)::integer, case right(code_presentation, 1) when 'B' then 2 else 10 end, 1
        ) as starts_on,
        module_presentation_length,
        _load_id
    from {courses} as courses
)

select
    code_module || '-' || code_presentation as class_id,
    code_module as course_id,
    'OU' as campus_id,
    null::text as teacher_id,
    code_presentation as term,
    null::integer as capacity,
    starts_on,
    starts_on + module_presentation_length - 1 as ends_on,
    'finished' as status,
    null::text as successor_class_id,
    (starts_on + time '12:00') at time zone 'UTC' as updated_at,
    _load_id
from presentations
