-- One row per customer, campus that sold and month with movements of lots, in the reporting currency.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

moved as (
    select
        changed.customer_id,
        movements.campus_id,
        {{ start_of('month', 'movements.day_on') }} as month_on,
        movements.measure,
        movements.amount
    from changed
    inner join {{ ref('fct_revenue_movement') }} as movements on movements.customer_id = changed.customer_id
    where movements.currency = {{ reporting_currency() }}
)

select
    customer_id,
    campus_id,
    month_on,
    cast(sum(case when measure = 'billings' then amount else 0 end) as numeric(18, 2)) as billings_amount,
    cast(sum(case when measure = 'refunds' then amount else 0 end) as numeric(18, 2)) as refunds_amount,
    cast(sum(case when measure = 'recognised' then amount else 0 end) as numeric(18, 2)) as recognised_amount,
    cast(sum(case when measure = 'expired' then amount else 0 end) as numeric(18, 2)) as expired_amount
from moved
group by customer_id, campus_id, month_on
