-- One row per customer that this build computes anew, with the home campus whose rules hold.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    customer_id,
    -- A customer is one learner in this first form of identity; with several, the campus of the first.
    min(campus_id) as campus_id
from scope
group by customer_id
