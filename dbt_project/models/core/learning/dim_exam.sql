-- One row per public or school exam.
with

exams as (
    select * from {{ ref('stg_exam_calendar') }}
)

select
    exam_id,
    name as exam_name,
    subject,
    grade,
    region,
    exam_on
from exams
