-- One row per learner and test taken.
with

assessments as (
    select * from {{ ref('stg_assessments') }}
),

enrolments as (
    select * from {{ ref('stg_enrolments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    assessments.assessment_result_id,
    scope.customer_id,
    coalesce(enrolments.campus_id, scope.campus_id) as campus_id,
    assessments.enrolment_id,
    coalesce(assessments.course_id, enrolments.course_id) as course_id,
    assessments.kind,
    assessments.topic,
    assessments.taken_on,
    assessments.score,
    assessments.max_score,
    round(assessments.score / nullif(assessments.max_score, 0), 4) as score_rate,
    coalesce(assessments.is_banked, false) as is_banked
from scope
inner join assessments on assessments.learner_id = scope.learner_id
left join enrolments on enrolments.enrolment_id = assessments.enrolment_id
where assessments.taken_on <= {{ as_of() }}
