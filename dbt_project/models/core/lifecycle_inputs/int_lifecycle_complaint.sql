-- One row per complaint of a customer.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

complaints as (
    select * from {{ ref('fct_complaint') }}
)

select
    complaints.customer_id,
    complaints.complaint_id,
    complaints.opened_on,
    complaints.closed_on
from changed
inner join complaints on complaints.customer_id = changed.customer_id
