-- One row per customer who changed in this build, or with somebody in the account who did.
with

registry as (
    select * from {{ ref('customer_registry') }}
),

customers as (
    select customer_id from {{ ref('changed_customer') }}
    union
    select registry.customer_id
    from {{ ref('changed_account') }} as changed_account
    inner join registry on registry.account_id = changed_account.account_id
)

select customer_id
from customers
