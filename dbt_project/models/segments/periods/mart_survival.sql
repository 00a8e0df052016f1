-- One row per cohort and day since the first paid lesson on which a customer churned or was last seen (Kaplan-Meier).
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

first_lessons as (
    select * from {{ ref('int_first_paid_lesson') }}
),

churned as (
    select
        first_lessons.customer_id,
        min(spans.valid_from) as churned_on
    from first_lessons
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = first_lessons.customer_id
            and spans.phase_code = 'churned'
            and spans.valid_from > first_lessons.first_lesson_on
    group by first_lessons.customer_id
),

lives as (
    select
        first_lessons.customer_id,
        customers.campus_id,
        customers.acquisition_channel,
        first_lessons.first_lesson_on,
        churned.churned_on is not null as is_churned,
        {{ days_between('first_lessons.first_lesson_on', 'coalesce(churned.churned_on, ' ~ as_of() ~ ')') }}
            as days_since
    from first_lessons
    inner join customers on customers.customer_id = first_lessons.customer_id
    left join churned on churned.customer_id = first_lessons.customer_id
),

members as (
    select
        'all' as cohort_kind,
        '' as cohort,
        days_since,
        is_churned
    from lives
    union all
    select
        'campus' as cohort_kind,
        coalesce(campus_id, '') as cohort,
        days_since,
        is_churned
    from lives
    union all
    select
        'channel' as cohort_kind,
        coalesce(acquisition_channel, '') as cohort,
        days_since,
        is_churned
    from lives
    union all
    select
        'quarter' as cohort_kind,
        cast({{ start_of('quarter', 'first_lesson_on') }} as {{ dbt.type_string() }}) as cohort,
        days_since,
        is_churned
    from lives
),

counted as (
    select
        cohort_kind,
        cohort,
        days_since,
        count(case when is_churned then 1 end) as churned_customers,
        count(case when not is_churned then 1 end) as censored_customers
    from members
    group by cohort_kind, cohort, days_since
),

at_risk as (
    select
        counted.*,
        sum(churned_customers + censored_customers) over (
            partition by cohort_kind, cohort
            order by days_since desc
        ) as at_risk_customers
    from counted
),

summed as (
    select
        at_risk.*,
        -- The product of what stays, day by day; once nobody is left it is 0.
        sum(
            case
                when at_risk_customers > churned_customers
                    then ln(cast(at_risk_customers - churned_customers as numeric) / at_risk_customers)
                else 0
            end
        ) over past as log_survival,
        max(case when at_risk_customers = churned_customers then 1 else 0 end) over past as is_over,
        -- Greenwood's formula.
        sum(
            case
                when at_risk_customers > churned_customers
                    then
                        cast(churned_customers as numeric)
                        / (at_risk_customers * (at_risk_customers - churned_customers))
                else 0
            end
        ) over past as variance_of_log
    from at_risk
    window past as (partition by cohort_kind, cohort order by days_since)
)

select
    cohort_kind,
    cohort,
    cast(days_since as integer) as days_since,
    cast(at_risk_customers as integer) as at_risk_customers,
    cast(churned_customers as integer) as churned_customers,
    cast(censored_customers as integer) as censored_customers,
    cast(case when is_over = 1 then 0 else exp(log_survival) end as numeric(9, 6)) as survival_rate,
    cast(case when is_over = 1 then 0 else exp(log_survival) * sqrt(variance_of_log) end as numeric(9, 6))
        as standard_error
from summed
