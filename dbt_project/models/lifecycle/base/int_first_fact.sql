-- One row per customer with a fact up to the day of the build: the first contact, and the fact behind it.
with

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

contacts as (
    select * from {{ ref('int_lifecycle_contact') }}
),

in_order as (
    select
        customer_id,
        contact_on,
        cause_table,
        cause_id,
        row_number() over (partition by customer_id order by contact_on, cause_table, cause_id) as contact_no
    from contacts
    where contact_on <= {{ as_of() }}
)

select
    customers.customer_id,
    customers.campus_id,
    in_order.contact_on as first_contact_on,
    in_order.cause_table,
    in_order.cause_id
from customers
inner join in_order
    on
        in_order.customer_id = customers.customer_id
        and in_order.contact_no = 1
