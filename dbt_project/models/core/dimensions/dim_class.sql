-- One row per class: a course given to a group over a term.
with

classes as (
    select * from {{ ref('stg_classes') }}
)

select
    class_id,
    course_id,
    campus_id,
    teacher_id,
    term,
    capacity as capacity_seats,
    starts_on,
    ends_on,
    successor_class_id,
    status = 'cancelled' as is_cancelled
from classes
