-- Question: How many customers were new, retained, resurrected and churned each month?
-- Returns: one row per month of the last year: active = new + retained + resurrected; the active ones of the month
--   before = retained + churned; churn rate and quick ratio.
-- Caveat: active means a day of a run in the month. Until a month is over (is_mature), those who come back later in
--   it still count as churned: its rates are null.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

counted as (
    select
        months.month_on,
        count(*) filter (where months.growth_state <> 'churned') as active_students,
        count(*) filter (where months.growth_state = 'new') as new_students,
        count(*) filter (where months.growth_state = 'retained') as retained_students,
        count(*) filter (where months.growth_state = 'resurrected') as resurrected_students,
        count(*) filter (where months.growth_state = 'churned') as churned_students
    from marts.fct_customer_month as months
    inner join marts.dim_customer as customers on customers.customer_id = months.customer_id
    where customers.is_reportable
    group by months.month_on
),

judged as (
    select
        counted.*,
        cast(counted.month_on + interval '1 month' as date) - 1 <= as_of.day_on as is_mature,
        counted.retained_students + counted.churned_students as active_students_before
    from counted
    cross join as_of
    where counted.month_on >= date_trunc('month', as_of.day_on) - interval '12 months'
)

select
    month_on,
    active_students,
    new_students,
    retained_students,
    resurrected_students,
    churned_students,
    active_students_before,
    is_mature,
    case when is_mature then round(cast(churned_students as numeric) / nullif(active_students_before, 0), 3) end
        as churn_rate,
    case
        when is_mature
            then round(cast(new_students + resurrected_students as numeric) / nullif(churned_students, 0), 2)
    end as quick_ratio
from judged
order by month_on;
