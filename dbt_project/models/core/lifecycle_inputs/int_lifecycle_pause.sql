-- One row per approved suspension of study that has begun.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

pauses as (
    select * from {{ ref('stg_pauses') }}
)

select
    scope.customer_id,
    pauses.pause_id,
    pauses.from_on,
    pauses.to_on
from scope
inner join pauses on pauses.learner_id = scope.learner_id
where pauses.from_on <= {{ as_of() }}
