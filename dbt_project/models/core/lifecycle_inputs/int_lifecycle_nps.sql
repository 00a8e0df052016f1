-- One row per answer of a customer to the question of recommendation (0-10).
with

changed as (
    select * from {{ ref('changed_customer') }}
),

surveys as (
    select * from {{ ref('fct_survey') }}
)

select
    surveys.customer_id,
    surveys.survey_id,
    surveys.responded_at,
    surveys.score
from changed
inner join surveys on surveys.customer_id = changed.customer_id
where surveys.kind = 'nps'
