-- One row per customer whose birthday is the day of the list: all that leaves the vault of a birth date but its year.
with

told as (
    select learner_id from {{ learners_with_birthday() }}
),

registry as (
    select * from {{ ref('customer_registry') }}
)

select registry.customer_id
from told
inner join registry on registry.learner_id = told.learner_id
-- A customer may be known under several learner ids.
group by registry.customer_id
