-- What: the customers active in a month are not those retained and churned in the next.
-- Why it matters: the churn rate has another denominator than numerator: active(t-1) = retained + churned.
-- What to do: see which customer of that month and campus lacks a row of the next: the customer was not recomputed when
--   the month began (lifecycle_due).
with

customer_months as (
    select * from {{ in_scope('fct_customer_month') }} as scoped
),

counted as (
    select
        month_on,
        coalesce(campus_id, '') as campus_id,
        sum(case when growth_state = 'churned' then 0 else 1 end) as active_customers,
        sum(case when growth_state in ('retained', 'churned') then 1 else 0 end) as followed_customers
    from customer_months
    group by month_on, coalesce(campus_id, '')
),

before as (
    select
        {{ month_after('month_on') }} as next_month_on,
        campus_id,
        active_customers
    from counted
)

select
    coalesce(before.next_month_on, counted.month_on) as month_on,
    coalesce(before.campus_id, counted.campus_id) as campus_id,
    before.active_customers as active_customers_before,
    counted.followed_customers
from before
full join counted
    on
        counted.month_on = before.next_month_on
        and counted.campus_id = before.campus_id
where
    coalesce(before.active_customers, 0) <> coalesce(counted.followed_customers, 0)
    and coalesce(before.next_month_on, counted.month_on) <= {{ as_of() }}
