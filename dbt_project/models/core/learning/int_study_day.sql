-- One row per customer and day studied: in the app or on the site, or in an attended lesson.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    days.customer_id,
    days.learning_on as study_on
from changed
inner join {{ ref('fct_learning_day') }} as days on days.customer_id = changed.customer_id
where days.is_study_day
-- A day with a lesson and a session is one study day.
union
select
    lessons.customer_id,
    lessons.lesson_on as study_on
from changed
inner join {{ ref('fct_attendance') }} as lessons on lessons.customer_id = changed.customer_id
where lessons.outcome_class = 'attended'
