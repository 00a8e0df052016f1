-- One row per class that has begun and names a successor: who went on into it.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

classes as (
    select * from {{ ref('dim_class') }}
    where not is_cancelled
),

rosters as (
    select
        enrolments.class_id,
        enrolments.customer_id,
        coalesce(enrolments.starts_on, classes.starts_on, enrolments.enrolled_on) as first_on,
        least(
            {{ add_days('enrolments.withdrawn_on', -1) }}, enrolments.completed_on, enrolments.ends_on, classes.ends_on
        ) as last_on,
        enrolments.enrolled_on
    from {{ ref('fct_enrolment') }} as enrolments
    inner join customers on customers.customer_id = enrolments.customer_id
    inner join classes on classes.class_id = enrolments.class_id
),

pairs as (
    select
        classes.class_id,
        classes.campus_id,
        classes.course_id,
        classes.teacher_id,
        classes.term,
        classes.starts_on,
        classes.ends_on,
        successors.class_id as successor_class_id,
        {{ add_days('successors.starts_on', 14) }} as matures_on
    from classes
    inner join classes as successors on successors.class_id = classes.successor_class_id
    where classes.starts_on <= {{ as_of() }}
),

students as (
    select
        pairs.class_id,
        rosters.customer_id,
        -- Somebody may have been enrolled twice.
        max(case when rosters.first_on <= {{ add_days('pairs.starts_on', 14) }} then 1 else 0 end) as is_opening,
        max(case when coalesce(rosters.last_on, pairs.ends_on) >= pairs.ends_on then 1 else 0 end) as is_closing,
        sum(greatest({{ days_between(
            'greatest(rosters.first_on, pairs.starts_on)', 'least(coalesce(rosters.last_on, pairs.ends_on), pairs.ends_on)'
        ) }} + 1, 0)) as days_in_class
    from pairs
    inner join rosters on rosters.class_id = pairs.class_id
    group by pairs.class_id, rosters.customer_id
),

went_on as (
    select
        students.class_id,
        students.customer_id
    from students
    inner join pairs on pairs.class_id = students.class_id
    inner join rosters as next_class
        on
            next_class.class_id = pairs.successor_class_id
            and next_class.customer_id = students.customer_id
            and next_class.enrolled_on <= pairs.matures_on
    group by students.class_id, students.customer_id
),

counted as (
    select
        students.class_id,
        sum(students.is_opening) as opening,
        sum(students.is_closing) as closing,
        sum(students.days_in_class) as days_in_class,
        count(went_on.customer_id) as went_on
    from students
    left join went_on
        on
            went_on.class_id = students.class_id
            and went_on.customer_id = students.customer_id
    group by students.class_id
)

{% set is_final = 'pairs.matures_on <= ' ~ as_of() %}
select
    pairs.class_id,
    pairs.campus_id,
    pairs.course_id,
    pairs.teacher_id,
    pairs.term,
    pairs.successor_class_id,
    pairs.matures_on,
    coalesce({{ is_final }}, false) as is_mature,
    cast(counted.opening as integer) as opening_students,
    cast(counted.closing as integer) as closing_students,
    cast(
        cast(counted.days_in_class as numeric)
        / nullif({{ days_between('pairs.starts_on', 'pairs.ends_on') }} + 1, 0) as numeric(12, 4)
    ) as mean_students,
    cast(counted.went_on as integer) as continued_students,
    {{ rate('counted.went_on', 'counted.opening', is_final) }} as class_continuation_rate_open,
    {{ rate('counted.went_on', 'counted.closing', is_final) }} as class_continuation_rate_close,
    {{ rate(
        'counted.went_on',
        '(cast(counted.days_in_class as numeric) / nullif(' ~ days_between('pairs.starts_on', 'pairs.ends_on') ~ ' + 1, 0))',
        is_final, 'numeric(12, 6)'
    ) }} as class_continuation_rate_avg
from pairs
inner join counted on counted.class_id = pairs.class_id
