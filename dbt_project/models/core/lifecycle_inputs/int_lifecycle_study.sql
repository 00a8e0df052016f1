-- One row per customer and day studied in the app or on the site (attended lessons: int_lifecycle_outcome).
with

changed as (
    select * from {{ ref('changed_customer') }}
),

learning_days as (
    select * from {{ ref('fct_learning_day') }}
)

select
    learning_days.customer_id,
    learning_days.learning_on as study_on,
    'learning_sessions' as cause_table,
    learning_days.first_session_id as cause_id
from changed
inner join learning_days on learning_days.customer_id = changed.customer_id
where learning_days.is_study_day
