-- One row per customer and day of a valuation: what each indicator of value measures, from facts up to that day.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

-- A leaver is valued on one day in both valuations.
valued as (
    select
        valuations.customer_id,
        valuations.valued_on,
        min(valuations.phase_code) as phase_code,
        min(valuations.grade) as grade,
        min(valuations.learner_band) as learner_band,
        {{ add_days('valuations.valued_on', '-min(valuations.money_days)') }} as money_after_on
    from changed
    inner join {{ ref('int_valuation') }} as valuations on valuations.customer_id = changed.customer_id
    group by valuations.customer_id, valuations.valued_on
),

courses as (
    select * from {{ ref('int_course_offered') }}
),

taken as (
    select
        valued.customer_id,
        valued.valued_on,
        courses.subject,
        min(courses.school_level) as school_level
    from valued
    inner join {{ ref('fct_enrolment') }} as enrolments
        on
            enrolments.customer_id = valued.customer_id
            and enrolments.enrolled_on <= valued.valued_on
    inner join courses on courses.course_id = enrolments.course_id
    group by valued.customer_id, valued.valued_on, courses.subject
),

levels as (
    select
        customer_id,
        valued_on,
        learner_band as school_level
    from valued
    where learner_band is not null
    union
    select
        taken.customer_id,
        taken.valued_on,
        taken.school_level
    from taken
    inner join valued
        on
            valued.customer_id = taken.customer_id
            and valued.valued_on = taken.valued_on
    -- Where the grade is not known, the courses taken tell the level.
    where valued.learner_band is null
),

offered as (
    select
        levels.customer_id,
        levels.valued_on,
        courses.subject
    from levels
    inner join courses
        on
            courses.school_level = levels.school_level
            -- Today's catalogue holds for today alone.
            and (courses.first_on <= levels.valued_on or levels.valued_on = {{ as_of() }})
    -- A subject has several courses.
    group by levels.customer_id, levels.valued_on, courses.subject
),

subjects as (
    select
        offered.customer_id,
        offered.valued_on,
        count(*) - count(taken.subject) as subjects_left
    from offered
    left join taken
        on
            taken.customer_id = offered.customer_id
            and taken.valued_on = offered.valued_on
            and taken.subject = offered.subject
    group by offered.customer_id, offered.valued_on
),

costs as (
    select
        served.customer_id,
        served.month_on,
        sum(served.cost_amount) as cost_amount
    from changed
    inner join {{ ref('fct_cost_to_serve_month') }} as served on served.customer_id = changed.customer_id
    where served.currency = {{ reporting_currency() }}
    group by served.customer_id, served.month_on
),

revenues as (
    select
        earned.customer_id,
        earned.month_on,
        sum(earned.revenue_amount) as revenue_amount
    from changed
    inner join {{ ref('int_customer_revenue_month') }} as earned on earned.customer_id = changed.customer_id
    group by earned.customer_id, earned.month_on
),

-- The months that were over on that day and whose costs are booked, with the revenue of the same months.
burdens as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(costs.cost_amount) / nullif(sum(revenues.revenue_amount), 0) as cost_to_serve
    from valued
    inner join costs
        on
            costs.customer_id = valued.customer_id
            and costs.month_on > valued.money_after_on
            and {{ month_after('costs.month_on') }} <= {{ add_days('valued.valued_on', 1) }}
    left join revenues
        on
            revenues.customer_id = costs.customer_id
            and revenues.month_on = costs.month_on
    group by valued.customer_id, valued.valued_on
    having sum(revenues.revenue_amount) > 0
),

incomes as (
    select
        leads.customer_id,
        -- Both parents may have been asked.
        max(case contacts.income_band when 'low' then 1 when 'middle' then 2 when 'upper' then 3 when 'high' then 4 end)
            as income
    from changed
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = changed.customer_id
    inner join {{ ref('int_lead') }} as recorded on recorded.lead_id = leads.lead_id
    inner join {{ ref('stg_contacts') }} as contacts on contacts.contact_id = recorded.contact_id
    group by leads.customer_id
),

school_years as (
    select * from {{ ref('school_years_left') }}
)

select
    valued.customer_id,
    valued.valued_on,
    {% for indicator, part in {
        'net_paid': 'measured',
        'hours_consumed': 'measured',
        'purchases': 'measured',
        'tenure': 'measured',
        'price_realised': 'measured',
        'cost_to_serve': 'burdens',
    }.items() %}
        -- Who has not bought yet has no current value.
        cast(
            case when valued.phase_code <> 'prospective' then {{ part }}.{{ indicator }} end as numeric(18, 4)
        ) as {{ indicator }},
    {% endfor %}
    cast(school_years.years_left as numeric(18, 4)) as school_years,
    cast(subjects.subjects_left as numeric(18, 4)) as subjects_left,
    cast(measured.engagement_trend as numeric(18, 4)) as engagement_trend,
    cast(measured.result_trend as numeric(18, 4)) as result_trend,
    cast(measured.referrals as numeric(18, 4)) as referrals,
    cast(incomes.income as numeric(18, 4)) as income
from valued
inner join {{ ref('int_value_measure') }} as measured
    on
        measured.customer_id = valued.customer_id
        and measured.valued_on = valued.valued_on
left join school_years on school_years.grade = valued.grade
left join incomes on incomes.customer_id = valued.customer_id
{% for part in ['burdens', 'subjects'] %}
    left join {{ part }}
        on
            {{ part }}.customer_id = valued.customer_id
            and {{ part }}.valued_on = valued.valued_on
{% endfor %}
