-- One row per teacher and subject taught.
with

teachers as (
    select * from {{ ref('stg_teachers') }}
),

staff as (
    select * from {{ ref('stg_staff') }}
)

select
    teachers.teacher_id,
    coalesce(teachers.campus_id, staff.campus_id) as campus_id,
    teachers.subject,
    teachers.level,
    staff.hired_on,
    {{ once('staff.left_on', 'staff.left_on') }} as left_on
from teachers
left join staff on staff.staff_id = teachers.staff_id
