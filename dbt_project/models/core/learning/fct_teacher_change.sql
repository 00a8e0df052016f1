-- One row per customer, course and lesson from which another teacher has taught it.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

lessons as (
    select
        fct_attendance.attendance_id,
        fct_attendance.customer_id,
        fct_attendance.campus_id,
        fct_attendance.course_id,
        fct_attendance.class_id,
        fct_attendance.enrolment_id,
        fct_attendance.teacher_id,
        fct_attendance.lesson_on,
        fct_attendance.lesson_at,
        lag(fct_attendance.teacher_id) over lessons_of_course as teacher_before,
        lead(fct_attendance.teacher_id) over lessons_of_course as teacher_after,
        lead(fct_attendance.lesson_on) over lessons_of_course as next_lesson_on
    from changed
    inner join {{ ref('fct_attendance') }} as fct_attendance on fct_attendance.customer_id = changed.customer_id
    where
        fct_attendance.teacher_id is not null
        and fct_attendance.course_id is not null
    window
        lessons_of_course as (
            partition by fct_attendance.customer_id, fct_attendance.course_id
            order by fct_attendance.lesson_at, fct_attendance.attendance_id
        )
),

-- Who gives one lesson between others stands in for the teacher.
regular as (
    select
        lessons.*,
        lag(teacher_id) over taught as from_teacher_id,
        lag(class_id) over taught as from_class_id,
        row_number() over taught as lesson_no
    from lessons
    where
        teacher_before = teacher_id
        or teacher_after = teacher_id
    window
        taught as (partition by customer_id, course_id order by lesson_at, attendance_id)
)

select
    attendance_id as teacher_change_id,
    customer_id,
    campus_id,
    course_id,
    class_id,
    enrolment_id,
    from_teacher_id,
    teacher_id as to_teacher_id,
    class_id = from_class_id as is_within_class,
    cast(lesson_no - 1 as integer) as lessons_before,
    lesson_on as changed_on,
    next_lesson_on as confirmed_on
from regular
where from_teacher_id <> teacher_id
