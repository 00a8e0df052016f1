-- One row per customer with a lesson that a lot which brought money covers: the day of the first.
with

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    lessons.customer_id,
    min(lessons.lesson_on) as first_lesson_on
from changed
inner join {{ ref('fct_lesson_consumption') }} as lessons on lessons.customer_id = changed.customer_id
inner join {{ ref('fct_lot') }} as lots on lots.lot_id = lessons.lot_id
where lots.billed_amount > 0
group by lessons.customer_id
