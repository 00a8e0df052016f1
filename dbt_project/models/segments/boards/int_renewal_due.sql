-- One row per paid lot that has run out by the day of the build: when it was due, and what renewed it.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
)

select
    due.lot_id,
    due.customer_id,
    customers.campus_id,
    due.product_line,
    due.due_on,
    due.due_amount,
    due.renewed_on,
    due.renewed_amount,
    due.matures_on
from {{ ref('int_lot_due') }} as due
inner join customers on customers.customer_id = due.customer_id
where due.due_on <= {{ as_of() }}
