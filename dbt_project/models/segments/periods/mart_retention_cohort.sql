-- One row per home campus, month of the first run (cohort) and month since.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

active as (
    select
        customer_month.customer_id,
        coalesce(customers.campus_id, '') as campus_id,
        customer_month.month_on,
        customer_month.growth_state
    from {{ ref('fct_customer_month') }} as customer_month
    inner join customers on customers.customer_id = customer_month.customer_id
    where customer_month.growth_state <> 'churned'
),

cohorts as (
    select
        customer_id,
        campus_id,
        month_on as cohort_on
    from active
    where growth_state = 'new'
),

sizes as (
    select
        campus_id,
        cohort_on,
        count(*) as cohort_customers
    from cohorts
    group by campus_id, cohort_on
),

days as (
    {{ days('(select min(cohort_on) from sizes)', as_of()) }}
),

months as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        row_number() over (order by {{ start_of('month', 'day_on') }}) as month_no
    from days
    group by {{ start_of('month', 'day_on') }}
),

kept as (
    select
        cohorts.campus_id,
        cohorts.cohort_on,
        active.month_on,
        count(*) as active_customers
    from cohorts
    inner join active on active.customer_id = cohorts.customer_id
    group by cohorts.campus_id, cohorts.cohort_on, active.month_on
)

select
    sizes.campus_id,
    sizes.cohort_on,
    cast(months.month_no - firsts.month_no as integer) as months_since,
    months.month_on,
    {{ is_month_over('months.month_on') }} as is_mature,
    cast(sizes.cohort_customers as integer) as cohort_customers,
    cast(coalesce(kept.active_customers, 0) as integer) as active_customers,
    -- Of a month that is not over nobody knows how many are there in it.
    {{ rate('coalesce(kept.active_customers, 0)', 'sizes.cohort_customers', is_month_over('months.month_on')) }}
        as retention_rate
from sizes
inner join months as firsts on firsts.month_on = sizes.cohort_on
inner join months on months.month_no >= firsts.month_no
left join kept
    on
        kept.campus_id = sizes.campus_id
        and kept.cohort_on = sizes.cohort_on
        and kept.month_on = months.month_on
