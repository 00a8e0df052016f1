-- One row per class and month in which somebody was enrolled in it or a lesson was given.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

classes as (
    select * from {{ ref('dim_class') }}
),

rosters as (
    select
        enrolments.class_id,
        enrolments.customer_id,
        coalesce(enrolments.starts_on, classes.starts_on, enrolments.enrolled_on) as first_on,
        -- The day before a withdrawal is the last one in class.
        least(
            {{ add_days('enrolments.withdrawn_on', -1) }}, enrolments.completed_on, enrolments.ends_on, classes.ends_on,
            {{ as_of() }}
        ) as last_on
    from {{ ref('fct_enrolment') }} as enrolments
    inner join customers on customers.customer_id = enrolments.customer_id
    inner join classes on classes.class_id = enrolments.class_id
),

days as (
    {{ days('(select min(first_on) from rosters)', as_of()) }}
),

months as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        max(day_on) as last_on
    from days
    group by {{ start_of('month', 'day_on') }}
),

in_class as (
    select
        rosters.class_id,
        months.month_on,
        months.last_on as month_last_on,
        rosters.customer_id,
        max(rosters.last_on) as last_on,
        lead(months.month_on) over (partition by rosters.class_id, rosters.customer_id order by months.month_on)
            as month_on_after
    from rosters
    inner join months
        on
            months.last_on >= rosters.first_on
            and months.month_on <= rosters.last_on
    -- Who withdrew before the first day was never in it.
    where rosters.first_on <= rosters.last_on
    group by rosters.class_id, months.month_on, months.last_on, rosters.customer_id
),

students as (
    select
        class_id,
        month_on,
        count(*) as students,
        count(case when last_on >= month_last_on then 1 end) as enrolled_seats,
        count(case when month_on_after = {{ month_after('month_on') }} then 1 end) as retained_students
    from in_class
    group by class_id, month_on
),

seats as (
    select
        seats.class_id,
        seats.month_on,
        sum(seats.attended_seats) as attended,
        sum(seats.absent_seats) as absent,
        sum(seats.leave_seats) as on_leave
    from {{ ref('int_seat_month') }} as seats
    inner join customers on customers.customer_id = seats.customer_id
    group by seats.class_id, seats.month_on
),

homework as (
    select
        class_id,
        month_on,
        sum(homework_due) as due,
        sum(homework_done) as done
    from {{ ref('int_homework_counted') }}
    where class_id <> ''
    group by class_id, month_on
),

keys as (
    select
        class_id,
        month_on
    from students
    union
    select
        class_id,
        month_on
    from seats
    union
    select
        class_id,
        month_on
    from homework
)

{% set is_final = is_month_over('keys.month_on') %}
{% set next_month = month_after('keys.month_on') %}
{% set is_open %}
    not classes.is_cancelled
    and coalesce(classes.ends_on >= least({{ add_days(next_month, -1) }}, {{ as_of() }}), true)
{% endset %}
{% set goes_on %}
    {{ next_month }} <= coalesce(classes.ends_on, {{ far_day() }})
    and {{ is_month_over(next_month) }}
{% endset %}
select
    keys.class_id,
    keys.month_on,
    classes.campus_id,
    classes.course_id,
    classes.teacher_id,
    {{ is_final }} as is_mature,
    cast(coalesce(seats.attended, 0) as integer) as attended_seats,
    cast(coalesce(seats.attended + seats.absent, 0) as integer) as due_seats,
    {{ rate('seats.attended', '(seats.attended + seats.absent)', is_final) }} as attendance_rate,
    cast(coalesce(seats.attended + seats.absent + seats.on_leave, 0) as integer) as due_seats_gross,
    {{ rate('seats.attended', '(seats.attended + seats.absent + seats.on_leave)', is_final) }} as attendance_rate_gross,
    cast(coalesce(homework.done, 0) as integer) as homework_done,
    cast(coalesce(homework.due, 0) as integer) as homework_due,
    {{ rate('homework.done', 'homework.due', is_final) }} as homework_completion_rate,
    cast(coalesce(students.enrolled_seats, 0) as integer) as enrolled_seats,
    cast(case when {{ is_open }} then classes.capacity_seats end as integer) as capacity_seats,
    {{ rate('students.enrolled_seats', 'classes.capacity_seats', is_open) }} as class_fill_rate,
    cast(coalesce(students.students, 0) as integer) as students,
    cast(coalesce(students.retained_students, 0) as integer) as retained_students,
    {{ goes_on }} as is_retention_mature,
    {{ rate('students.retained_students', 'students.students', goes_on) }} as in_class_retention_rate
from keys
inner join classes on classes.class_id = keys.class_id
left join students
    on
        students.class_id = keys.class_id
        and students.month_on = keys.month_on
left join seats
    on
        seats.class_id = keys.class_id
        and seats.month_on = keys.month_on
left join homework
    on
        homework.class_id = keys.class_id
        and homework.month_on = keys.month_on
