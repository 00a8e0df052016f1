-- One row per customer, campus that taught, month and currency: the customer's share of what teaching cost there.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_cost_month') }}
),

pools as (
    select * from {{ ref('int_cost_pool') }}
),

hours as (
    select taught.*
    from changed
    inner join {{ ref('int_taught_hours_month') }} as taught on taught.month_on = changed.month_on
),

-- Running totals: rounded shares of them add up to the cost, to the cent, by campus and for all.
at_campus as (
    select
        hours.*,
        -- Month before campus, as below: one order for all four.
        sum(hours.hours) over (partition by month_on, campus_id order by customer_id) as hours_to,
        sum(hours.hours) over (partition by month_on, campus_id) as hours_of_campus,
        sum(hours.hours) over (partition by month_on order by campus_id, customer_id) as all_hours_to,
        sum(hours.hours) over (partition by month_on) as all_hours
    from hours
),

shares as (
    select
        at_campus.customer_id,
        at_campus.campus_id,
        at_campus.month_on,
        pools.currency,
        at_campus.hours,
        round(pools.direct_amount * at_campus.hours_to / at_campus.hours_of_campus, 2)
        - round(pools.direct_amount * (at_campus.hours_to - at_campus.hours) / at_campus.hours_of_campus, 2)
            as direct_amount,
        round(pools.overhead_amount * at_campus.hours_to / at_campus.hours_of_campus, 2)
        - round(pools.overhead_amount * (at_campus.hours_to - at_campus.hours) / at_campus.hours_of_campus, 2)
            as overhead_amount,
        round(pools.common_amount * at_campus.all_hours_to / at_campus.all_hours, 2)
        - round(pools.common_amount * (at_campus.all_hours_to - at_campus.hours) / at_campus.all_hours, 2)
            as common_amount
    from at_campus
    inner join pools
        on
            pools.campus_id = at_campus.campus_id
            and pools.month_on = at_campus.month_on
)

select
    customer_id,
    campus_id,
    month_on,
    currency,
    hours as hours_taught,
    cast(direct_amount as numeric(18, 2)) as direct_amount,
    cast(overhead_amount as numeric(18, 2)) as overhead_amount,
    cast(common_amount as numeric(18, 2)) as common_amount,
    cast(direct_amount + overhead_amount + common_amount as numeric(18, 2)) as cost_amount
from shares
