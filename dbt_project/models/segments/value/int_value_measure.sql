-- One row per customer and day of a valuation: the indicators of value that rest on facts of the customer until then.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
{% set before = standing_rows() %}
{% set indicators = [
    'net_paid', 'hours_consumed', 'purchases', 'tenure', 'price_realised', 'engagement_trend', 'result_trend', 'referrals'
] %}
with

-- A leaver is valued on one day in both valuations.
all_valued as (
    select
        valuations.customer_id,
        valuations.valued_on,
        {{ add_days('valuations.valued_on', '-min(valuations.money_days)') }} as money_after_on,
        {{ add_days('valuations.valued_on', '-min(valuations.engagement_days)') }} as engagement_after_on,
        {{ add_days('valuations.valued_on', '-2 * min(valuations.engagement_days)') }} as engagement_before_after_on,
        min(valuations.engagement_least_days) as engagement_least_days,
        {{ add_days('valuations.valued_on', '-min(valuations.result_days)') }} as result_after_on,
        {{ add_days('valuations.valued_on', '-2 * min(valuations.result_days)') }} as result_before_after_on
    from {{ ref('changed_valuation') }} as changed
    inner join {{ ref('int_valuation') }} as valuations on valuations.customer_id = changed.customer_id
    group by valuations.customer_id, valuations.valued_on
),

{% if before %}

    -- What the facts of a customer said up to a day, they say as long as the customer does not change.
    kept as (
        select before.*
        from {{ ref('changed_valuation') }} as valued_anew
        inner join {{ before }} as before on before.customer_id = valued_anew.customer_id
        where
            not exists (
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
    {{ cash_moved() }}
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

computed as (
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
)

select
    customer_id,
    valued_on,
{% for indicator in indicators %}
    cast({{ indicator }} as numeric(18, 4)) as {{ indicator }}{{ ',' if not loop.last }}
{% endfor %}
from computed
{% if before %}
    union all
    select
        kept.customer_id,
        kept.valued_on,
    {% for indicator in indicators %}
        kept.{{ indicator }}{{ ',' if not loop.last }}
    {% endfor %}
    from kept
    -- Days on which nobody is valued any more go.
    inner join all_valued
        on
            all_valued.customer_id = kept.customer_id
            and all_valued.valued_on = kept.valued_on
{% endif %}
