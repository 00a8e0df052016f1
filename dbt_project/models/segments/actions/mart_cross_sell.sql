-- One row per existing customer, kind of offer and subject for which more would help: the need and what shows it.
with

customers as (
    select
        dim_customer.customer_id,
        dim_customer.campus_id,
        dim_customer.learner_band,
        limits.growth_attendance_min,
        limits.growth_homework_min,
        limits.growth_weeks,
        limits.growth_cover_weeks,
        {{ add_days(as_of(), '-7 * limits.growth_weeks') }} as after_on
    from {{ ref('dim_customer') }} as dim_customer
    {{ action_limits_of('dim_customer.campus_id') }}
    where
        dim_customer.current_phase = 'existing'
        and dim_customer.is_reportable
),

courses as (
    select * from {{ ref('dim_course') }}
    where subject is not null
),

lessons as (
    select
        customers.customer_id,
        courses.subject,
        count(*) as seats,
        count(case when seats.outcome_class <> 'leave' then 1 end) as expected_seats,
        count(case when seats.outcome_class = 'attended' then 1 end) as attended_seats,
        count(distinct {{ start_of('week', 'seats.lesson_on') }}) as weeks,
        sum(seats.hours) as hours
    from customers
    inner join {{ ref('fct_attendance') }} as seats
        on
            seats.customer_id = customers.customer_id
            and seats.lesson_on > customers.after_on
    inner join courses on courses.course_id = seats.course_id
    group by customers.customer_id, courses.subject
),

homework as (
    select
        customers.customer_id,
        courses.subject,
        count(*) as due,
        count(case when homework.submission_status <> 'missing' then 1 end) as done
    from customers
    inner join {{ ref('fct_homework') }} as homework
        on
            homework.customer_id = customers.customer_id
            and homework.due_on > customers.after_on
            and homework.due_on <= {{ as_of() }}
    inner join courses on courses.course_id = homework.course_id
    group by customers.customer_id, courses.subject
),

-- Subjects in which the learner does what is asked: half of the weeks looked at had a lesson, lessons are attended and
-- homework is done.
steady as (
    select
        lessons.customer_id,
        customers.campus_id,
        customers.learner_band,
        customers.growth_cover_weeks,
        lessons.subject,
        lessons.expected_seats,
        lessons.attended_seats,
        coalesce(homework.due, 0) as homework_due,
        coalesce(homework.done, 0) as homework_done,
        cast(lessons.seats as numeric) / lessons.weeks as lessons_a_week,
        cast(lessons.hours as numeric) / lessons.weeks as hours_a_week
    from lessons
    inner join customers on customers.customer_id = lessons.customer_id
    left join homework
        on
            homework.customer_id = lessons.customer_id
            and homework.subject = lessons.subject
    where
        2 * lessons.weeks >= customers.growth_weeks
        and lessons.attended_seats >= customers.growth_attendance_min * lessons.expected_seats
        and coalesce(homework.done >= customers.growth_homework_min * homework.due, true)
),

goals_in_order as (
    select
        goals.customer_id,
        goals.subject,
        goals.status,
        goals.expected_score,
        goals.actual_score,
        coalesce(goals.measured_on, goals.due_on) as told_on,
        row_number() over (
            partition by goals.customer_id, goals.subject
            order by coalesce(goals.measured_on, goals.due_on) desc, goals.goal_id desc
        ) as goal_no
    from {{ ref('fct_goal') }} as goals
    where
        goals.status in ('reached', 'missed', 'overdue')
        and coalesce(goals.measured_on, goals.due_on) > {{ add_days(as_of(), -180) }}
),

goals as (
    select * from goals_in_order
    where goal_no = 1
),

asked as (
    select
        customer_id,
        subject_interest as subject,
        max(created_on) as asked_on
    from {{ ref('fct_lead') }}
    where
        customer_id is not null
        and subject_interest is not null
        and created_on > {{ add_days(as_of(), -365) }}
    group by customer_id, subject_interest
),

taken as (
    select
        enrolments.customer_id,
        courses.subject
    from {{ ref('fct_enrolment') }} as enrolments
    inner join courses on courses.course_id = enrolments.course_id
    -- A subject is taken term after term.
    group by enrolments.customer_id, courses.subject
),

offered as (
    select
        subject,
        school_level
    from courses
    -- A subject has courses of several levels of skill.
    group by subject, school_level
),

-- From one lesson a week to two, where the goal is missed although the learner does what is asked, and where what is
-- left lasts some weeks at that pace.
more_lessons as (
    select
        'up_sell' as offer_kind,
        steady.customer_id,
        steady.campus_id,
        steady.subject as current_subject,
        steady.subject,
        'goal_missed' as need_code,
        goals.told_on as need_on,
        'the goal of ' || coalesce(cast(round(goals.expected_score) as {{ dbt.type_string() }}), '?') || ' was missed'
        || coalesce(' with ' || cast(round(goals.actual_score) as {{ dbt.type_string() }}), '') as words_en,
        '目标 ' || coalesce(cast(round(goals.expected_score) as {{ dbt.type_string() }}), '?')
        || coalesce('，实际 ' || cast(round(goals.actual_score) as {{ dbt.type_string() }}), '，未测') as words_zh,
        cast(null as numeric(12, 4)) as lift,
        cast(null as numeric(12, 4)) as lift_low,
        1 as need_order,
        steady.expected_seats,
        steady.attended_seats,
        steady.homework_due,
        steady.homework_done,
        steady.lessons_a_week,
        balances.hours_left
    from steady
    inner join goals
        on
            goals.customer_id = steady.customer_id
            and goals.subject = steady.subject
            and goals.status in ('missed', 'overdue')
    left join {{ ref('int_customer_balance') }} as balances on balances.customer_id = steady.customer_id
    where
        steady.lessons_a_week <= 1.25
        -- A period has no hours to run out of.
        and (
            balances.hours_left is null
            or balances.hours_left >= 2 * steady.hours_a_week * steady.growth_cover_weeks
        )
),

second_subjects as (
    select
        'cross_sell' as offer_kind,
        steady.customer_id,
        steady.campus_id,
        steady.subject as current_subject,
        pairs.other_subject as subject,
        case when asked.customer_id is not null then 'asked_for' else 'goal_reached' end as need_code,
        coalesce(asked.asked_on, goals.told_on) as need_on,
        case
            when asked.customer_id is not null
                then 'it was asked for on ' || cast(asked.asked_on as {{ dbt.type_string() }})
            else 'the goal was reached on ' || cast(goals.told_on as {{ dbt.type_string() }})
        end as words_en,
        case
            when asked.customer_id is not null then cast(asked.asked_on as {{ dbt.type_string() }}) || ' 曾咨询'
            else cast(goals.told_on as {{ dbt.type_string() }}) || ' 已达成目标'
        end as words_zh,
        pairs.lift,
        pairs.lift_low,
        case when asked.customer_id is not null then 1 else 2 end as need_order,
        steady.expected_seats,
        steady.attended_seats,
        steady.homework_due,
        steady.homework_done,
        steady.lessons_a_week,
        balances.hours_left
    from steady
    inner join {{ ref('mart_subject_affinity') }} as pairs
        on
            pairs.subject = steady.subject
            -- Only what goes together beyond chance.
            and pairs.lift_low > 1
    inner join offered
        on
            offered.subject = pairs.other_subject
            and (offered.school_level is null or offered.school_level = steady.learner_band)
    left join taken
        on
            taken.customer_id = steady.customer_id
            and taken.subject = pairs.other_subject
    left join goals
        on
            goals.customer_id = steady.customer_id
            and goals.subject = steady.subject
            and goals.status = 'reached'
    left join asked
        on
            asked.customer_id = steady.customer_id
            and asked.subject = pairs.other_subject
    left join {{ ref('int_customer_balance') }} as balances on balances.customer_id = steady.customer_id
    where
        taken.customer_id is null
        and (asked.customer_id is not null or goals.customer_id is not null)
),

needed as (
    select * from more_lessons
    union all
    select * from second_subjects
),

-- A second subject may go with several that are taken.
one_each as (
    select
        needed.*,
        row_number() over (
            partition by customer_id, offer_kind, subject order by need_order, lift_low desc, current_subject
        ) as offer_no
    from needed
)

select
    customer_id || ':' || offer_kind || ':' || subject as cross_sell_id,
    customer_id,
    campus_id,
    offer_kind,
    cast(
        row_number() over (
            partition by customer_id, offer_kind order by need_order, lift_low desc nulls last, need_on desc, subject
        ) as integer
    ) as place,
    current_subject,
    subject,
    need_code,
    need_on,
    words_en,
    words_zh,
    lift,
    lift_low,
    cast(attended_seats as integer) as attended_seats,
    cast(expected_seats as integer) as expected_seats,
    cast(homework_done as integer) as homework_done,
    cast(homework_due as integer) as homework_due,
    cast(lessons_a_week as numeric(6, 2)) as lessons_a_week,
    hours_left
from one_each
where offer_no = 1
