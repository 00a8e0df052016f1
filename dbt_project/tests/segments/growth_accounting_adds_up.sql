-- What: active customers of a month are not new, retained and resurrected ones, or those of the month before are not
--   retained and churned ones; or a campus scoreboard says otherwise.
-- Why it matters: churn rate and quick ratio then divide by the wrong number.
-- What to do: compare fct_customer_month with mart_growth_accounting for that month and campus; a month without rows
--   between two others breaks the second sum.
with

growth as (
    select * from {{ ref('mart_growth_accounting') }}
),

campuses as (
    select * from {{ ref('mart_campus_scoreboard') }}
)

select
    growth.month_on,
    growth.campus_id
from growth
left join campuses
    on
        campuses.month_on = growth.month_on
        and campuses.campus_id = growth.campus_id
where
    growth.active_customers <> growth.new_customers + growth.retained_customers + growth.resurrected_customers
    or growth.active_before_customers <> growth.retained_customers + growth.churned_customers
    or campuses.active_customers is distinct from growth.active_customers
