-- One row per month and teacher with anything to count.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

-- Students of a teacher once a month, in however many classes.
taught as (
    select
        seats.month_on,
        seats.teacher_id,
        seats.customer_id,
        sum(seats.attended_seats) as attended_seats,
        sum(seats.absent_seats) as absent_seats,
        sum(seats.leave_seats) as leave_seats,
        sum(seats.attended_hours) as attended_hours
    from {{ ref('int_seat_month') }} as seats
    inner join customers on customers.customer_id = seats.customer_id
    where seats.teacher_id <> ''
    group by seats.month_on, seats.teacher_id, seats.customer_id
),

seats as (
    select
        month_on,
        teacher_id,
        count(case when attended_seats > 0 then 1 end) as students,
        sum(attended_seats) as attended_seats,
        sum(absent_seats) as absent_seats,
        sum(leave_seats) as leave_seats,
        sum(attended_hours) as attended_hours
    from taught
    group by month_on, teacher_id
),

-- With somebody there: a lesson has one teacher and one day.
lessons as (
    select
        lessons.lesson_id,
        min(lessons.lesson_on) as lesson_on,
        min(lessons.teacher_id) as teacher_id
    from {{ ref('fct_attendance') }} as lessons
    inner join customers on customers.customer_id = lessons.customer_id
    where
        lessons.outcome_class = 'attended'
        and lessons.teacher_id is not null
    group by lessons.lesson_id
),

trials as (
    select
        trials.teacher_id,
        trials.scheduled_on,
        journeys.purchased_on
    from {{ ref('fct_trial') }} as trials
    inner join {{ ref('int_lead_journey') }} as journeys
        on
            journeys.person_id = coalesce(trials.customer_id, 'lead:' || trials.lead_id)
            and journeys.trial_attended_on = trials.scheduled_on
    where
        trials.status = 'attended'
        and trials.teacher_id is not null
),

answers as (
    select
        first_lessons.teacher_id,
        surveys.responded_on,
        surveys.score
    from {{ ref('fct_survey') }} as surveys
    inner join customers on customers.customer_id = surveys.customer_id
    inner join {{ ref('int_first_lesson') }} as first_lessons on first_lessons.customer_id = surveys.customer_id
    where
        surveys.kind = 'first_lesson'
        and first_lessons.teacher_id is not null
),

homework as (
    select
        homework.month_on,
        classes.teacher_id,
        sum(homework.homework_due) as homework_due,
        sum(homework.homework_done) as homework_done
    from {{ ref('int_homework_counted') }} as homework
    inner join {{ ref('dim_class') }} as classes on classes.class_id = homework.class_id
    where classes.teacher_id is not null
    group by homework.month_on, classes.teacher_id
),

measures as (
    {% for measure in ['students', 'attended_seats', 'absent_seats', 'leave_seats', 'attended_hours'] %}
        select
            month_on,
            teacher_id,
            '{{ measure }}' as measure,
            cast({{ measure }} as numeric) as value
        from seats
        union all
    {% endfor %}
    select
        {{ start_of('month', 'lesson_on') }} as month_on,
        teacher_id,
        'lessons' as measure,
        count(*) as value
    from lessons
    group by {{ start_of('month', 'lesson_on') }}, teacher_id
    union all
    {% for measure in ['homework_due', 'homework_done'] %}
        select
            month_on,
            teacher_id,
            '{{ measure }}' as measure,
            {{ measure }} as value
        from homework
        union all
    {% endfor %}
    {% for measure, condition in {
        'first_trials': 'true', 'converted_trials': 'purchased_on between scheduled_on and ' ~ add_days('scheduled_on', 30)
    }.items() %}
        select
            {{ start_of('month', 'scheduled_on') }} as month_on,
            teacher_id,
            '{{ measure }}' as measure,
            count(*) as value
        from trials
        where {{ condition }}
        group by {{ start_of('month', 'scheduled_on') }}, teacher_id
        union all
    {% endfor %}
    {% for measure, condition in {'answers': 'true', 'satisfied': 'score >= 4'}.items() %}
        select
            {{ start_of('month', 'responded_on') }} as month_on,
            teacher_id,
            '{{ measure }}' as measure,
            count(*) as value
        from answers
        where {{ condition }}
        group by {{ start_of('month', 'responded_on') }}, teacher_id
        union all
    {% endfor %}
    select
        {{ start_of('month', 'changes.confirmed_on') }} as month_on,
        changes.from_teacher_id as teacher_id,
        'changed_away' as measure,
        count(*) as value
    from {{ ref('fct_teacher_change') }} as changes
    inner join customers on customers.customer_id = changes.customer_id
    where changes.confirmed_on <= {{ as_of() }}
    group by {{ start_of('month', 'changes.confirmed_on') }}, changes.from_teacher_id
    union all
    select
        {{ start_of('month', 'leavings.left_on') }} as month_on,
        leavings.teacher_id,
        'left_students' as measure,
        count(*) as value
    from {{ ref('int_leaving_lesson') }} as leavings
    inner join customers on customers.customer_id = leavings.customer_id
    group by {{ start_of('month', 'leavings.left_on') }}, leavings.teacher_id
),

counted as (
    select
        month_on,
        teacher_id,
        {% for measure in [
            'lessons', 'students', 'attended_hours', 'attended_seats', 'absent_seats', 'leave_seats', 'homework_due',
            'homework_done', 'first_trials', 'converted_trials', 'answers', 'satisfied', 'changed_away', 'left_students'
        ] %}
        coalesce(sum(case when measure = '{{ measure }}' then value end), 0) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
    from measures
    group by month_on, teacher_id
)

{% set is_final = is_month_over('counted.month_on') %}
select
    counted.month_on,
    counted.teacher_id,
    teachers.campus_id,
    teachers.subject,
    {{ is_final }} as is_mature,
    cast(counted.lessons as integer) as lessons,
    cast(counted.students as integer) as taught_students,
    cast(counted.attended_hours as numeric(12, 2)) as attended_hours,
    cast(counted.attended_seats as integer) as attended_seats,
    cast(counted.attended_seats + counted.absent_seats as integer) as due_seats,
    {{ rate('counted.attended_seats', '(counted.attended_seats + counted.absent_seats)', is_final) }}
        as attendance_rate,
    cast(counted.homework_done as integer) as homework_done,
    cast(counted.homework_due as integer) as homework_due,
    {{ rate('counted.homework_done', 'counted.homework_due', is_final) }} as homework_completion_rate,
    cast(counted.first_trials as integer) as first_trial_students,
    cast(counted.converted_trials as integer) as converted_trial_students,
    {{ is_month_over('counted.month_on', 30) }} as is_trial_conversion_mature,
    {{ rate('counted.converted_trials', 'counted.first_trials', is_month_over('counted.month_on', 30)) }}
        as trial_conversion_rate,
    cast(counted.answers as integer) as first_lesson_answers,
    cast(counted.satisfied as integer) as first_lesson_satisfied,
    {{ rate('counted.satisfied', 'counted.answers', is_final) }} as first_lesson_satisfaction,
    cast(counted.changed_away as integer) as changed_away_students,
    cast(counted.left_students as integer) as left_students
from counted
left join {{ ref('dim_teacher') }} as teachers on teachers.teacher_id = counted.teacher_id
