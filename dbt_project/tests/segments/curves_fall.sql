-- What: a survival curve rises, leaves 0 to 1, or does not begin with everybody at risk.
-- Why it matters: expected lifetimes and comparisons of cohorts read it.
-- What to do: compare the cohort with the spans of its customers; somebody is counted twice or churned before the first
--   paid lesson.
with

curves as (
    select
        cohort_kind,
        cohort,
        days_since,
        at_risk_customers,
        survival_rate,
        lag(survival_rate) over cohort_days as survival_rate_before,
        lag(at_risk_customers - churned_customers - censored_customers) over cohort_days as left_before,
        sum(churned_customers + censored_customers) over (partition by cohort_kind, cohort) as customers
    from {{ ref('mart_survival') }}
    window cohort_days as (partition by cohort_kind, cohort order by days_since)
)

select
    cohort_kind,
    cohort,
    days_since
from curves
where
    survival_rate not between 0 and 1
    or survival_rate > coalesce(survival_rate_before, 1)
    or at_risk_customers <> coalesce(left_before, customers)
