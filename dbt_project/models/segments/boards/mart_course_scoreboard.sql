-- One row per month and course with anything to count: enrolments by their start, seats by the lesson, answers by day.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

enrolments as (
    select
        enrolments.*,
        coalesce(enrolments.starts_on, enrolments.enrolled_on) as begins_on
    from {{ ref('fct_enrolment') }} as enrolments
    inner join customers on customers.customer_id = enrolments.customer_id
    where coalesce(enrolments.starts_on, enrolments.enrolled_on) <= {{ as_of() }}
),

seats as (
    select
        seats.month_on,
        seats.course_id,
        sum(seats.attended_seats) as attended_seats,
        sum(seats.absent_seats) as absent_seats,
        sum(seats.leave_seats) as leave_seats
    from {{ ref('int_seat_month') }} as seats
    inner join customers on customers.customer_id = seats.customer_id
    where seats.course_id <> ''
    group by seats.month_on, seats.course_id
),

answers as (
    select
        first_lessons.course_id,
        surveys.responded_on,
        surveys.score
    from {{ ref('fct_survey') }} as surveys
    inner join customers on customers.customer_id = surveys.customer_id
    inner join {{ ref('int_first_lesson') }} as first_lessons on first_lessons.customer_id = surveys.customer_id
    where
        surveys.kind = 'first_lesson'
        and first_lessons.course_id is not null
),

measures as (
    {% for measure, condition in {
        'started_enrolments': 'true',
        'completed_enrolments': "status = 'completed'",
        'withdrawn_enrolments': "status = 'withdrawn'",
        'open_enrolments': "status = 'active' and coalesce(ends_on, " ~ far_day() ~ ") > " ~ as_of(),
    }.items() %}
        select
            {{ start_of('month', 'begins_on') }} as month_on,
            course_id,
            '{{ measure }}' as measure,
            count(*) as value
        from enrolments
        where {{ condition }}
        group by {{ start_of('month', 'begins_on') }}, course_id
        union all
    {% endfor %}
    {% for measure in ['attended_seats', 'absent_seats', 'leave_seats'] %}
        select
            month_on,
            course_id,
            '{{ measure }}' as measure,
            {{ measure }} as value
        from seats
        union all
    {% endfor %}
    {% for measure, condition in {'answers': 'true', 'satisfied': 'score >= 4'}.items() %}
        select
            {{ start_of('month', 'responded_on') }} as month_on,
            course_id,
            '{{ measure }}' as measure,
            count(*) as value
        from answers
        where {{ condition }}
        group by {{ start_of('month', 'responded_on') }}, course_id
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (
    select
        month_on,
        course_id,
        {% for measure in [
            'started_enrolments', 'completed_enrolments', 'withdrawn_enrolments', 'open_enrolments', 'attended_seats',
            'absent_seats', 'leave_seats', 'answers', 'satisfied'
        ] %}
        coalesce(sum(case when measure = '{{ measure }}' then value end), 0) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
    from measures
    group by month_on, course_id
)

{% set is_final = is_month_over('counted.month_on') %}
select
    counted.month_on,
    counted.course_id,
    courses.subject,
    courses.product_line,
    {{ is_final }} as is_mature,
    cast(counted.started_enrolments as integer) as started_enrolments,
    cast(counted.completed_enrolments as integer) as completed_enrolments,
    cast(counted.withdrawn_enrolments as integer) as withdrawn_enrolments,
    cast(counted.open_enrolments as integer) as open_enrolments,
    {{ is_final }} and counted.open_enrolments = 0 as is_completion_mature,
    {{ rate(
        'counted.completed_enrolments', 'counted.started_enrolments', is_final ~ ' and counted.open_enrolments = 0'
    ) }} as course_completion_rate,
    cast(counted.attended_seats as integer) as attended_seats,
    cast(counted.attended_seats + counted.absent_seats as integer) as due_seats,
    {{ rate('counted.attended_seats', '(counted.attended_seats + counted.absent_seats)', is_final) }}
        as attendance_rate,
    cast(counted.answers as integer) as first_lesson_answers,
    cast(counted.satisfied as integer) as first_lesson_satisfied,
    {{ rate('counted.satisfied', 'counted.answers', is_final) }} as first_lesson_satisfaction
from counted
inner join {{ ref('dim_course') }} as courses on courses.course_id = counted.course_id
