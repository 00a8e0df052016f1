{# Weeks of marked work, the week itself included, that a topic's mastery looks back over. #}
{% set mastery_weeks = 8 %}
-- One row per customer, week and topic with marked work in the week.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

scope as (
    select
        customer_id,
        max(campus_id) as campus_id
    from {{ ref('int_customer_scope') }}
    group by customer_id
),

rules as (
    select
        max(case when rule = 'weak_below' then value end) as weak_below,
        max(case when rule = 'weak_min_pieces' then value end) as weak_min_pieces
    from {{ ref('learning_rules') }}
),

-- Every piece of marked work weighs the same: a topic of a test, a test of one topic, a piece of homework.
pieces as (
    select
        topics.customer_id,
        topics.topic,
        topics.taken_on as worked_on,
        topics.score_rate
    from scope
    inner join {{ ref('fct_assessment_topic') }} as topics on topics.customer_id = scope.customer_id
    where topics.score_rate is not null
    union all
    select
        assessments.customer_id,
        assessments.topic,
        assessments.taken_on as worked_on,
        assessments.score_rate
    from scope
    inner join {{ ref('fct_assessment') }} as assessments on assessments.customer_id = scope.customer_id
    where
        assessments.topic is not null
        and assessments.score_rate is not null
        and not assessments.is_banked
        and not exists (
            select 1
            from {{ ref('fct_assessment_topic') }} as topics
            where
                topics.customer_id = assessments.customer_id
                and topics.assessment_result_id = assessments.assessment_result_id
        )
    union all
    select
        homework.customer_id,
        homework.topic,
        homework.submitted_on as worked_on,
        homework.score / 100 as score_rate
    from scope
    inner join {{ ref('fct_homework') }} as homework on homework.customer_id = scope.customer_id
    where
        homework.topic is not null
        and homework.score is not null
),

weeks as (
    select
        customer_id,
        topic,
        {{ start_of('week', 'worked_on') }} as week_on,
        count(*) as pieces,
        sum(score_rate) as rate_sum
    from pieces
    group by customer_id, topic, {{ start_of('week', 'worked_on') }}
),

-- Weeks by number, so that a frame of weeks is a frame of whole numbers.
numbered as (
    select
        weeks.*,
        {{ days_between("cast('1970-01-05' as date)", 'week_on') }} / 7 as week_no
    from weeks
),

rolling as (
    select
        customer_id,
        topic,
        week_on,
        pieces,
        rate_sum,
        sum(pieces) over lately as mastery_pieces,
        sum(rate_sum) over lately as mastery_sum
    from numbered
    window
        lately as (
            partition by customer_id, topic order by week_no
            range between {{ mastery_weeks - 1 }} preceding and current row
        )
)

select
    rolling.customer_id || ':' || cast(rolling.week_on as {{ dbt.type_string() }}) || ':' || rolling.topic
        as learning_week_topic_id,
    rolling.customer_id,
    scope.campus_id,
    rolling.week_on,
    rolling.topic,
    cast(rolling.pieces as integer) as pieces,
    round(rolling.rate_sum / rolling.pieces, 4) as score_rate,
    cast(rolling.mastery_pieces as integer) as mastery_pieces,
    round(rolling.mastery_sum / rolling.mastery_pieces, 4) as mastery_rate,
    rolling.mastery_pieces >= rules.weak_min_pieces
    and rolling.mastery_sum / rolling.mastery_pieces < rules.weak_below as is_weak
from rolling
inner join scope on scope.customer_id = rolling.customer_id
cross join rules
