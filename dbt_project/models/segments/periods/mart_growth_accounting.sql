-- One row per month and home campus with a customer who was active, or active the month before.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

customer_months as (
    select
        customer_month.month_on,
        coalesce(customers.campus_id, '') as campus_id,
        customer_month.customer_id,
        customer_month.growth_state,
        {{ start_of('month', add_days('customer_month.month_on', 366)) }} as month_after_a_year_on
    from {{ ref('fct_customer_month') }} as customer_month
    inner join customers on customers.customer_id = customer_month.customer_id
),

counted as (
    select
        month_on,
        campus_id,
        count(case when growth_state = 'new' then 1 end) as new_customers,
        count(case when growth_state = 'retained' then 1 end) as retained_customers,
        count(case when growth_state = 'resurrected' then 1 end) as resurrected_customers,
        count(case when growth_state = 'churned' then 1 end) as churned_customers,
        count(case when growth_state <> 'churned' then 1 end) as active_customers
    from customer_months
    group by month_on, campus_id
),

revenue as (
    select
        customer_id,
        month_on,
        sum(revenue_amount) as revenue_amount
    from {{ ref('int_customer_revenue_month') }}
    group by customer_id, month_on
),

-- Net revenue retention: customers active twelve months ago, what they earned us then and earn us now.
compared as (
    select
        customer_months.month_after_a_year_on as month_on,
        customer_months.campus_id,
        count(*) as customers,
        sum(coalesce(earlier.revenue_amount, 0)) as earlier_amount,
        sum(coalesce(later.revenue_amount, 0)) as later_amount,
        sum(least(coalesce(later.revenue_amount, 0), coalesce(earlier.revenue_amount, 0))) as capped_amount
    from customer_months
    left join revenue as earlier
        on
            earlier.customer_id = customer_months.customer_id
            and earlier.month_on = customer_months.month_on
    left join revenue as later
        on
            later.customer_id = customer_months.customer_id
            and later.month_on = customer_months.month_after_a_year_on
    where customer_months.growth_state <> 'churned'
    group by customer_months.month_after_a_year_on, customer_months.campus_id
)

select
    counted.month_on,
    counted.campus_id,
    {{ is_month_over('counted.month_on') }} as is_mature,
    cast(coalesce(before.active_customers, 0) as integer) as active_before_customers,
    cast(counted.new_customers as integer) as new_customers,
    cast(counted.retained_customers as integer) as retained_customers,
    cast(counted.resurrected_customers as integer) as resurrected_customers,
    cast(counted.churned_customers as integer) as churned_customers,
    cast(counted.active_customers as integer) as active_customers,
    {% set is_final = is_month_over('counted.month_on') %}
    {{ rate('counted.churned_customers', 'before.active_customers', is_final) }} as churn_rate,
    {{ rate(
        '(counted.new_customers + counted.resurrected_customers)', 'counted.churned_customers', is_final,
        'numeric(12, 6)'
    ) }} as quick_ratio,
    cast(compared.customers as integer) as active_12m_before_customers,
    cast(compared.earlier_amount as numeric(18, 2)) as revenue_12m_before_amount,
    cast(compared.later_amount as numeric(18, 2)) as revenue_of_the_same_amount,
    cast(compared.capped_amount as numeric(18, 2)) as revenue_of_the_same_capped_amount,
    {{ rate('compared.later_amount', 'compared.earlier_amount', is_final, 'numeric(12, 6)') }} as nrr_consumption_12m,
    {{ rate('compared.capped_amount', 'compared.earlier_amount', is_final, 'numeric(12, 6)') }} as grr_consumption_12m
from counted
left join counted as before
    on
        before.campus_id = counted.campus_id
        and before.month_on = {{ start_of('month', add_days('counted.month_on', -1)) }}
left join compared
    on
        compared.campus_id = counted.campus_id
        and compared.month_on = counted.month_on
