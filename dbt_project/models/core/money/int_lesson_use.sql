-- One row per lesson outcome that consumes hours: how many, and under which line of the customer.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

attendance as (
    select fct_attendance.*
    from changed
    inner join {{ ref('fct_attendance') }} as fct_attendance on fct_attendance.customer_id = changed.customer_id
    {% if var('purchase_event') == 'enrolment' %}
        -- No payment system is connected: nothing is known of what hours cost.
        where false
    {% endif %}
),

enrolments as (
    select * from {{ ref('fct_enrolment') }}
),

lessons as (
    select * from {{ ref('stg_lessons') }}
),

courses as (
    select * from {{ ref('stg_courses') }}
),

rules as (
    select
        nullif(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('money_rules') }}
),

defaults as (
    select
        max(case when rule = 'absence_consumes' then value end) as absence_consumes,
        max(case when rule = 'leave_consumes' then value end) as leave_consumes,
        max(case when rule = 'late_consumes' then value end) as late_consumes
    from rules
    where campus_id is null
),

of_campuses as (
    select
        campus_id,
        max(case when rule = 'absence_consumes' then value end) as absence_consumes,
        max(case when rule = 'leave_consumes' then value end) as leave_consumes,
        max(case when rule = 'late_consumes' then value end) as late_consumes
    from rules
    where campus_id is not null
    group by campus_id
),

used as (
    select
        attendance.attendance_id,
        attendance.customer_id,
        attendance.campus_id as lesson_campus_id,
        attendance.lesson_id,
        attendance.lesson_on,
        attendance.lesson_at,
        attendance.outcome,
        attendance.course_id,
        courses.product_line,
        enrolments.order_line_id,
        -- Of a lesson not attended the teaching system marks no hours: the lesson's length counts.
        cast(round(
            case attendance.outcome
                when 'absent' then lessons.hours * coalesce(of_campuses.absence_consumes, defaults.absence_consumes)
                when 'leave' then lessons.hours * coalesce(of_campuses.leave_consumes, defaults.leave_consumes)
                when 'late' then attendance.hours * coalesce(of_campuses.late_consumes, defaults.late_consumes)
                else attendance.hours
            end, 2
        ) as numeric(10, 2)) as hours
    from attendance
    inner join lessons on lessons.lesson_id = attendance.lesson_id
    cross join defaults
    left join of_campuses on of_campuses.campus_id = attendance.campus_id
    left join enrolments
        on
            enrolments.enrolment_id = attendance.enrolment_id
            and enrolments.customer_id = attendance.customer_id
    left join courses on courses.course_id = attendance.course_id
)

select
    attendance_id,
    customer_id,
    lesson_campus_id,
    lesson_id,
    lesson_on,
    lesson_at,
    outcome,
    course_id,
    product_line,
    order_line_id,
    hours,
    row_number() over (partition by customer_id order by lesson_at, attendance_id) as lesson_no
from used
where hours > 0
