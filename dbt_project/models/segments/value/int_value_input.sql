-- One row per customer and day of a valuation: what each indicator of value measures, from facts up to that day.
{% set before = standing_rows() %}
{% set from_facts = [
    'net_paid', 'hours_consumed', 'purchases', 'tenure', 'price_realised', 'engagement_trend', 'result_trend', 'referrals'
] %}
with

-- A leaver is valued on one day in both valuations.
all_valued as (
    select
        customer_id,
        valued_on,
        min(phase_code) as phase_code,
        min(grade) as grade,
        min(learner_band) as learner_band,
        {{ add_days('valued_on', '-min(money_days)') }} as money_after_on,
        {{ add_days('valued_on', '-min(engagement_days)') }} as engagement_after_on,
        {{ add_days('valued_on', '-2 * min(engagement_days)') }} as engagement_before_after_on,
        min(engagement_least_days) as engagement_least_days,
        {{ add_days('valued_on', '-min(result_days)') }} as result_after_on,
        {{ add_days('valued_on', '-2 * min(result_days)') }} as result_before_after_on
    from {{ ref('int_valuation') }}
    group by customer_id, valued_on
),

{% if before %}

    -- What the facts of a customer said on a day that is over, they say as long as the customer does not change.
    kept as (
        select before.*
        from {{ before }} as before
        where
            before.valued_on < {{ as_of() }}
            and not exists (
                select 1
                from {{ ref('changed_customer') }} as changed
                where changed.customer_id = before.customer_id
            )
    ),

{% endif %}

valued as (
    select all_valued.*
    from all_valued
    {% if before %}
        where
            not exists (
                select 1
                from kept
                where
                    kept.customer_id = all_valued.customer_id
                    and kept.valued_on = all_valued.valued_on
            )
    {% endif %}
),

money_moved as (
    select
        customer_id,
        paid_on as day_on,
        amount
    from {{ ref('fct_payment') }}
    where
        status = 'succeeded'
        and currency = {{ reporting_currency() }}
    union all
    select
        customer_id,
        resolved_on as day_on,
        -refunded_amount as amount
    from {{ ref('fct_refund') }}
    where
        resolution = 'paid'
        and currency = {{ reporting_currency() }}
),

money as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(money_moved.amount) as net_paid
    from valued
    inner join money_moved
        on
            money_moved.customer_id = valued.customer_id
            and money_moved.day_on > valued.money_after_on
            and money_moved.day_on <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

hours as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(lessons.hours) as hours_consumed
    from valued
    inner join {{ ref('fct_lesson_consumption') }} as lessons
        on
            lessons.customer_id = valued.customer_id
            and lessons.lesson_on > valued.money_after_on
            and lessons.lesson_on <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

purchases as (
    select
        valued.customer_id,
        valued.valued_on,
        -- Several orders of one day are one purchase.
        count(distinct orders.purchased_on) as purchases
    from valued
    inner join {{ ref('fct_order') }} as orders
        on
            orders.customer_id = valued.customer_id
            and orders.purchased_on <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

tenure as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(
            {{ days_between(
                'spans.valid_from',
                'least(coalesce(spans.valid_to, ' ~ far_day() ~ '), ' ~ add_days('valued.valued_on', 1) ~ ')'
            ) }}
        ) as tenure
    from valued
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = valued.customer_id
            and spans.phase_code = 'existing'
            and spans.valid_from <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

prices as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(order_lines.net_amount) / nullif(sum(order_lines.list_amount), 0) as price_realised
    from valued
    inner join {{ ref('fct_order_line') }} as order_lines
        on
            order_lines.customer_id = valued.customer_id
            and order_lines.granted_on <= valued.valued_on
            and not order_lines.is_gift
            and order_lines.currency = {{ reporting_currency() }}
    group by valued.customer_id, valued.valued_on
),

-- Catalogues carry no dates: a course is there from the day of the first enrolment in it, or of its first class.
first_held as (
    select
        course_id,
        min(day_on) as first_on
    from (
        select
            course_id,
            enrolled_on as day_on
        from {{ ref('fct_enrolment') }}
        union all
        select
            course_id,
            starts_on as day_on
        from {{ ref('dim_class') }}
    ) as held
    group by course_id
),

courses as (
    select
        courses.course_id,
        courses.subject,
        courses.school_level,
        first_held.first_on
    from {{ ref('dim_course') }} as courses
    left join first_held on first_held.course_id = courses.course_id
    where courses.subject is not null
),

taken as (
    select
        valued.customer_id,
        valued.valued_on,
        courses.subject,
        min(courses.school_level) as school_level
    from all_valued as valued
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
    from all_valued as valued
    where learner_band is not null
    union
    select
        taken.customer_id,
        taken.valued_on,
        taken.school_level
    from taken
    inner join all_valued as valued
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
        customer_id,
        month_on,
        sum(cost_amount) as cost_amount
    from {{ ref('fct_cost_to_serve_month') }}
    where currency = {{ reporting_currency() }}
    group by customer_id, month_on
),

revenues as (
    select
        customer_id,
        month_on,
        sum(revenue_amount) as revenue_amount
    from {{ ref('int_customer_revenue_month') }}
    group by customer_id, month_on
),

-- The months that were over on that day and whose costs are booked, with the revenue of the same months.
burdens as (
    select
        valued.customer_id,
        valued.valued_on,
        sum(costs.cost_amount) / nullif(sum(revenues.revenue_amount), 0) as cost_to_serve
    from all_valued as valued
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

engagement as (
    select
        valued.customer_id,
        valued.valued_on,
        case
            when
                count(case when study_days.study_on <= valued.engagement_after_on then 1 end)
                >= max(valued.engagement_least_days)
                then
                    cast(count(case when study_days.study_on > valued.engagement_after_on then 1 end) as numeric)
                    / count(case when study_days.study_on <= valued.engagement_after_on then 1 end)
        end as engagement_trend
    from valued
    inner join {{ ref('int_study_day') }} as study_days
        on
            study_days.customer_id = valued.customer_id
            and study_days.study_on > valued.engagement_before_after_on
            and study_days.study_on <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

results as (
    select
        valued.customer_id,
        valued.valued_on,
        100 * (
            avg(case when tests.taken_on > valued.result_after_on then tests.score / tests.max_score end)
            - avg(case when tests.taken_on <= valued.result_after_on then tests.score / tests.max_score end)
        ) as result_trend
    from valued
    inner join {{ ref('fct_assessment') }} as tests
        on
            tests.customer_id = valued.customer_id
            and tests.taken_on > valued.result_before_after_on
            and tests.taken_on <= valued.valued_on
            and tests.score is not null
            and tests.max_score > 0
            and not tests.is_banked
    group by valued.customer_id, valued.valued_on
),

referrals as (
    select
        valued.customer_id,
        valued.valued_on,
        count(*) as referrals
    from valued
    inner join {{ ref('fct_referral') }} as made
        on
            made.customer_id = valued.customer_id
            and made.referred_on <= valued.valued_on
    group by valued.customer_id, valued.valued_on
),

incomes as (
    select
        leads.customer_id,
        -- Both parents may have been asked.
        max(case contacts.income_band when 'low' then 1 when 'middle' then 2 when 'upper' then 3 when 'high' then 4 end)
            as income
    from {{ ref('fct_lead') }} as leads
    inner join {{ ref('int_lead') }} as recorded on recorded.lead_id = leads.lead_id
    inner join {{ ref('stg_contacts') }} as contacts on contacts.contact_id = recorded.contact_id
    where leads.customer_id is not null
    group by leads.customer_id
),

school_years as (
    select * from {{ ref('school_years_left') }}
),

measured as (
    select
        valued.customer_id,
        valued.valued_on,
        coalesce(money.net_paid, 0) as net_paid,
        coalesce(hours.hours_consumed, 0) as hours_consumed,
        coalesce(purchases.purchases, 0) as purchases,
        coalesce(tenure.tenure, 0) as tenure,
        prices.price_realised,
        engagement.engagement_trend,
        results.result_trend,
        coalesce(referrals.referrals, 0) as referrals
    from valued
    {% for part in ['money', 'hours', 'purchases', 'tenure', 'prices', 'engagement', 'results', 'referrals'] %}
        left join {{ part }}
            on
                {{ part }}.customer_id = valued.customer_id
                and {{ part }}.valued_on = valued.valued_on
    {% endfor %}
    {% if before %}
        union all
        select
            customer_id,
            valued_on,
            {{ from_facts | join(',
            ') }}
        from kept
    {% endif %}
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
from all_valued as valued
inner join measured
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
