-- One row per survey response.
with

surveys as (
    select * from {{ ref('stg_surveys') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    surveys.survey_id,
    scope.customer_id,
    scope.campus_id,
    surveys.kind,
    surveys.score,
    surveys.responded_on,
    surveys.responded_at
from scope
inner join surveys on surveys.learner_id = scope.learner_id
where surveys.responded_on <= {{ as_of() }}
