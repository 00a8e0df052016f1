-- One row per customer and day on which a course that nothing follows was completed.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

enrolments as (
    select * from {{ ref('fct_enrolment') }}
),

courses as (
    select * from {{ ref('stg_courses') }}
)

select
    enrolments.customer_id,
    enrolments.completed_on as reached_on
from changed
inner join enrolments on enrolments.customer_id = changed.customer_id
inner join courses on courses.course_id = enrolments.course_id
where
    enrolments.completed_on is not null
    and courses.is_terminal
-- Two courses may end on one day.
group by enrolments.customer_id, enrolments.completed_on
