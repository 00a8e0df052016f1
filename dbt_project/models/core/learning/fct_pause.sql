-- One row per approved suspension of study that has begun.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

pauses as (
    select * from {{ ref('stg_pauses') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    pauses.pause_id,
    scope.customer_id,
    scope.campus_id,
    pauses.reason,
    pauses.from_on,
    pauses.to_on,
    {{ once('pauses.approved_on', 'pauses.approved_on') }} as approved_on,
    {{ days_between('pauses.from_on', 'pauses.to_on') }} + 1 as paused_days
from scope
inner join pauses on pauses.learner_id = scope.learner_id
where pauses.from_on <= {{ as_of() }}
