-- One row per customer that this build computes anew, with the home campus whose rules hold.
with

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    customer_id,
    campus_id
from scope
where is_main
