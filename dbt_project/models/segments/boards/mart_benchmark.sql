-- One row per published figure, with ours beside it.
with

published as (
    select * from {{ ref('benchmark') }}
),

boards as (
    select * from {{ ref('mart_campus_scoreboard') }}
    where
        is_mature
        and month_on >= {{ start_of('month', add_days(as_of(), -365)) }}
),

courses as (
    select * from {{ ref('mart_course_scoreboard') }}
    where is_completion_mature
),

leads as (
    select
        contacted_at,
        lead_at,
        {{ hours_between('lead_at', 'contacted_at') }} as hours
    from {{ ref('int_lead_journey') }}
    where
        lead_on > {{ add_days(as_of(), -395) }}
        -- Everybody has had the 30 days.
        and {{ add_days('lead_on', 30) }} <= {{ as_of() }}
),

curve as (
    select
        survival_rate,
        row_number() over (order by days_since desc) as back_no
    from {{ ref('mart_survival') }}
    where
        cohort_kind = 'all'
        and days_since <= 365
),

ours as (
    select
        'nps' as metric_code,
        sum(nps_promoters - nps_detractors) as numerator,
        sum(nps_responses) as denominator,
        cast(null as numeric) as value,
        'answers of the months over of the last 12' as period
    from boards
    union all
    select
        'course_completion_rate' as metric_code,
        sum(completed_enrolments) as numerator,
        sum(started_enrolments) as denominator,
        null as value,
        'enrolments of all starts of which none is open' as period
    from courses
    union all
    select
        'course_withdrawal_rate' as metric_code,
        sum(withdrawn_enrolments) as numerator,
        sum(started_enrolments) as denominator,
        null as value,
        'enrolments of all starts of which none is open' as period
    from courses
    union all
    select
        'lead_response_within_1h' as metric_code,
        count(case when hours <= 1 then 1 end) as numerator,
        count(*) as denominator,
        null as value,
        'enquiries of 12 months whose 30 days have passed' as period
    from leads
    union all
    select
        'lead_response_mean_hours' as metric_code,
        cast(sum(case when hours <= 720 then hours end) as numeric) as numerator,
        count(case when hours <= 720 then 1 end) as denominator,
        null as value,
        'enquiries of 12 months whose 30 days have passed, answered in them' as period
    from leads
    union all
    select
        'retention_survival_1y' as metric_code,
        null as numerator,
        null as denominator,
        survival_rate as value,
        'Kaplan-Meier, 365 days after the first paid lesson' as period
    from curve
    where back_no = 1
)

select
    published.benchmark_id,
    published.metric_code,
    published.unit,
    cast(published.published_value as numeric(12, 4)) as published_value,
    published.population,
    published.source,
    published.published_year,
    published.caution,
    cast(coalesce(ours.value, ours.numerator / nullif(cast(ours.denominator as numeric), 0)) as numeric(12, 4))
        as our_value,
    cast(ours.numerator as numeric(18, 2)) as our_numerator,
    cast(ours.denominator as integer) as our_denominator,
    ours.period as our_period
from published
left join ours on ours.metric_code = published.metric_code
