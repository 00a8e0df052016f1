-- One row per enrolment of a reportable customer that runs and ends soon: how likely the course is failed, why, and the
-- exam ahead.
with

enrolments as (
    select * from {{ ref('enrolment_features') }}
),

scores as (
    select * from {{ ref('int_risk_score') }}
    where target = 'pass'
),

exams as (
    select
        enrolments.enrolment_id,
        exams.exam_id,
        exams.exam_name,
        exams.exam_on,
        row_number() over (partition by enrolments.enrolment_id order by exams.exam_on, exams.exam_id) as exam_no
    from enrolments
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = enrolments.customer_id
    inner join {{ ref('dim_exam') }} as exams
        on
            (exams.subject is null or exams.subject = courses.subject)
            and (exams.grade is null or exams.grade = customers.grade)
            and (exams.region is null or exams.region = customers.region)
            and exams.exam_on > enrolments.day_on
            and exams.exam_on <= {{ add_days('enrolments.day_on', risk_rule('pass_horizon_days')) }}
)

select
    enrolments.enrolment_id,
    enrolments.customer_id,
    enrolments.campus_id,
    enrolments.course_id,
    enrolments.class_id,
    enrolments.ends_on,
    exams.exam_id,
    exams.exam_name,
    exams.exam_on,
    scores.is_in_danger,
    scores.scorer,
    scores.fitted_as_of,
    scores.probability as fail_probability,
    scores.risk_band,
    {{ risk_reasons('scores') }}
from enrolments
inner join scores on scores.scored_id = enrolments.enrolment_id
left join exams
    on
        exams.enrolment_id = enrolments.enrolment_id
        and exams.exam_no = 1
