-- One row per customer: what is known of the customer that no stage changes. What reads it, and not dim_customer, need
-- not be computed in a night in which stages have changed and nothing else.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
)

select
    customers.customer_id,
    customers.campus_id,
    customers.acquisition_channel,
    customers.first_contact_on,
    customers.first_purchase_on,
    customers.is_reportable
from changed
inner join {{ ref('dim_customer') }} as customers on customers.customer_id = changed.customer_id
