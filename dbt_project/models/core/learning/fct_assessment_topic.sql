-- One row per test taken and topic in it.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

topics as (
    select * from {{ ref('stg_assessment_topics') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

assessments as (
    select * from {{ ref('fct_assessment') }}
)

select
    topics.assessment_topic_id,
    assessments.customer_id,
    assessments.campus_id,
    assessments.assessment_result_id,
    assessments.course_id,
    assessments.kind,
    assessments.taken_on,
    topics.topic,
    topics.score,
    topics.max_score,
    round(topics.score / nullif(topics.max_score, 0), 4) as score_rate
from scope
inner join assessments on assessments.customer_id = scope.customer_id
inner join topics
    on
        topics.assessment_result_id = assessments.assessment_result_id
        and topics.learner_id = scope.learner_id
