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
    {% for measure in ['billings', 'refunds', 'recognised', 'expired'] %}
        cast(sum(case when measure = '{{ measure }}' then amount else 0 end) as numeric(18, 2))
            as {{ measure }}_amount{{ ',' if not loop.last }}
    {% endfor %}
from moved
group by customer_id, campus_id, month_on
