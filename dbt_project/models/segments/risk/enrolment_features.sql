-- One row per enrolment of a reportable customer that runs on the day and ends soon: what was known of it at its end,
-- in numbers.
{% set before = standing_rows() %}
with

customers as (
    select features.*
    from {{ ref('customer_features') }} as features
    {% if before %}
        where
            exists (
                select 1
                from {{ ref('changed_customer') }} as changed
                where changed.customer_id = features.customer_id
            )
            or not exists (
                select 1
                from {{ before }} as before
                where before.day_on = {{ as_of() }}
            )
    {% endif %}
),

{% if before %}

    -- Built again on the same day: what was known of enrolments of customers who have not changed since.
    kept as (
        select before.*
        from {{ before }} as before
        where
            before.day_on = {{ as_of() }}
            and not exists (
                select 1
                from {{ ref('changed_customer') }} as changed
                where changed.customer_id = before.customer_id
            )
    ),

{% endif %}

enrolments as (
    select
        customers.day_on,
        enrolments.enrolment_id,
        enrolments.customer_id,
        coalesce(enrolments.campus_id, customers.campus_id) as campus_id,
        enrolments.course_id,
        enrolments.class_id,
        coalesce(enrolments.starts_on, enrolments.enrolled_on) as starts_on,
        enrolments.ends_on,
        customers.danger,
        customers.study_days_28d,
        customers.days_since_study,
        customers.tenure_days
    from customers
    inner join {{ ref('fct_enrolment') }} as enrolments
        on
            enrolments.customer_id = customers.customer_id
            and enrolments.enrolled_on <= customers.day_on
            and coalesce(enrolments.starts_on, enrolments.enrolled_on) <= customers.day_on
            and enrolments.ends_on >= customers.day_on
            and enrolments.ends_on <= {{ add_days('customers.day_on', risk_rule('pass_horizon_days')) }}
            and (enrolments.withdrawn_on is null or enrolments.withdrawn_on > customers.day_on)
            and (enrolments.completed_on is null or enrolments.completed_on > customers.day_on)
),

attendance as (
    select
        enrolments.enrolment_id,
        enrolments.day_on,
        avg(
            case seats.outcome_class when 'absent' then cast(1 as double precision) when 'attended' then 0 end
        ) as absence_rate
    from enrolments
    inner join {{ ref('fct_attendance') }} as seats
        on
            seats.enrolment_id = enrolments.enrolment_id
            and seats.lesson_on <= enrolments.day_on
    group by enrolments.enrolment_id, enrolments.day_on
),

homework as (
    select
        enrolments.enrolment_id,
        enrolments.day_on,
        avg(
            case when homework.submitted_on <= homework.due_on then cast(1 as double precision) else 0 end
        ) as homework_rate,
        count(case when homework.submitted_on <= enrolments.day_on then null else 1 end) as missing
    from enrolments
    inner join {{ ref('fct_homework') }} as homework
        on
            homework.enrolment_id = enrolments.enrolment_id
            and homework.due_on <= enrolments.day_on
    group by enrolments.enrolment_id, enrolments.day_on
),

tests as (
    select
        enrolments.enrolment_id,
        enrolments.day_on,
        count(case when tests.enrolment_id = enrolments.enrolment_id then tests.score_rate end) as course_tests,
        avg(case when tests.enrolment_id = enrolments.enrolment_id then tests.score_rate end) as course_test_rate,
        avg(
            case when tests.enrolment_id is distinct from enrolments.enrolment_id then tests.score_rate end
        ) as other_test_rate
    from enrolments
    inner join {{ ref('fct_assessment') }} as tests
        on
            tests.customer_id = enrolments.customer_id
            and tests.taken_on <= enrolments.day_on
            and not tests.is_banked
    group by enrolments.enrolment_id, enrolments.day_on
),

goals as (
    select
        enrolments.enrolment_id,
        enrolments.day_on,
        max(goals.expected_score - goals.baseline_score) as goal_gap
    from enrolments
    inner join {{ ref('fct_goal') }} as goals
        on
            goals.enrolment_id = enrolments.enrolment_id
            and goals.set_on <= enrolments.day_on
    group by enrolments.enrolment_id, enrolments.day_on
),

fails as (
    select
        enrolments.enrolment_id,
        enrolments.day_on,
        count(*) as earlier_fails
    from enrolments
    inner join {{ ref('fct_enrolment') }} as earlier
        on
            earlier.customer_id = enrolments.customer_id
            and coalesce(earlier.completed_on, earlier.withdrawn_on, earlier.ends_on) <= enrolments.day_on
            and earlier.result = 'fail'
    group by enrolments.enrolment_id, enrolments.day_on
)

select
    enrolments.enrolment_id,
    enrolments.day_on,
    enrolments.customer_id,
    enrolments.campus_id,
    enrolments.course_id,
    enrolments.class_id,
    enrolments.ends_on,
{% for feature, expression in {
    'elapsed_rate':
        'cast(' ~ days_between('enrolments.starts_on', 'enrolments.day_on') ~ ' + 1 as double precision) / nullif('
        ~ days_between('enrolments.starts_on', 'enrolments.ends_on') ~ ' + 1, 0)',
    'days_to_end': days_between('enrolments.day_on', 'enrolments.ends_on'),
    'course_absence_rate': 'attendance.absence_rate',
    'course_homework_rate': 'homework.homework_rate',
    'course_missing_homework': 'coalesce(homework.missing, 0)',
    'course_test_rate': 'tests.course_test_rate',
    'course_tests': 'coalesce(tests.course_tests, 0)',
    'other_test_rate': 'tests.other_test_rate',
    'goal_gap': 'goals.goal_gap',
    'danger': 'enrolments.danger',
    'study_days_28d': 'enrolments.study_days_28d',
    'days_since_study': 'enrolments.days_since_study',
    'tenure_days': 'enrolments.tenure_days',
    'earlier_fails': 'coalesce(fails.earlier_fails, 0)',
}.items() %}
    cast({{ expression }} as double precision) as {{ feature }}{{ ',' if not loop.last }}
{% endfor %}
from enrolments
{% for part in ['attendance', 'homework', 'tests', 'goals', 'fails'] %}
    left join {{ part }}
        on
            {{ part }}.enrolment_id = enrolments.enrolment_id
            and {{ part }}.day_on = enrolments.day_on
{% endfor %}
{% if before %}
    union all
    select
        enrolment_id,
        day_on,
        customer_id,
        campus_id,
        course_id,
        class_id,
        ends_on,
        {{ enrolment_features().split(',') | join(',
        ') }}
    from kept
{% endif %}
