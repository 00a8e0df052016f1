-- One row per reportable customer in a run: how satisfied and how well connected the customer is, and whether to ask
-- for a referral.
with

customers as (
    select
        current.customer_id,
        current.campus_id,
        current.school,
        current.grade
    from {{ ref('dim_customer') }} as current
    where
        current.is_reportable
        and current.current_phase = 'existing'
),

answers as (
    select
        customer_id,
        score,
        row_number() over (partition by customer_id order by responded_at desc, score, survey_id) as answer_no
    from {{ ref('fct_survey') }}
    where
        kind = 'nps'
        and responded_on > {{ add_days(as_of(), '-' ~ risk_rule('referral_days')) }}
),

-- Who complained lately is not asked for a favour.
voices as (
    select
        customer_id,
        max(coalesce({{ add_days('closed_on', -1) }}, {{ as_of() }})) as last_voice_on
    from {{ ref('fct_risk_signal') }}
    where signal_class = 'voice'
    group by customer_id
),

referrals as (
    select
        customer_id,
        count(*) as referrals_made,
        count(converted_on) as referrals_converted,
        sum(influence_count) as influence_count
    from {{ ref('fct_referral_network') }}
    group by customer_id
),

-- Of one school and grade, and not a customer now: whom a referral could bring.
classmates as (
    select
        school,
        grade,
        count(*) as classmates
    from {{ ref('dim_customer') }}
    where
        is_reportable
        and current_phase <> 'existing'
        and school is not null
        and grade is not null
    group by school, grade
),

measured as (
    select
        customers.customer_id,
        customers.campus_id,
        answers.score as nps_score,
        coalesce(voices.last_voice_on > {{ add_days(as_of(), '-' ~ risk_rule('referral_quiet_days')) }}, false)
            as has_recent_voice,
        coalesce(referrals.referrals_made, 0) as referrals_made,
        coalesce(referrals.referrals_converted, 0) as referrals_converted,
        coalesce(referrals.influence_count, 0) as influence_count,
        coalesce(classmates.classmates, 0) as classmates
    from customers
    left join answers
        on
            answers.customer_id = customers.customer_id
            and answers.answer_no = 1
    left join voices on voices.customer_id = customers.customer_id
    left join referrals on referrals.customer_id = customers.customer_id
    left join classmates
        on
            classmates.school = customers.school
            and classmates.grade = customers.grade
),

pointed as (
    select
        measured.*,
        case when has_recent_voice then 0 else coalesce(nps_score, 0) * 5 end as satisfaction_points,
        least(
            referrals_made * {{ risk_rule('referral_point_made') }}
            + referrals_converted * {{ risk_rule('referral_point_converted') }}
            + influence_count * {{ risk_rule('referral_point_influence') }}
            + classmates * {{ risk_rule('referral_point_classmate') }},
            50
        ) as connection_points
    from measured
),

banded as (
    select
        pointed.*,
        case
            when has_recent_voice then 'not_now'
            when nps_score is null then 'unknown'
            when nps_score < {{ risk_rule('referral_least_score') }} then 'unconvinced'
            when referrals_converted > 0 then 'ask_again'
            when connection_points >= {{ risk_rule('referral_connected_from') }} then 'ask'
            else 'few_connections'
        end as potential_band
    from pointed
)

select
    customer_id,
    campus_id,
    cast(nps_score as integer) as nps_score,
    has_recent_voice,
    cast(referrals_made as integer) as referrals_made,
    cast(referrals_converted as integer) as referrals_converted,
    cast(influence_count as integer) as influence_count,
    cast(classmates as integer) as classmates,
    cast(satisfaction_points as numeric(9, 2)) as satisfaction_points,
    cast(connection_points as numeric(9, 2)) as connection_points,
    cast(satisfaction_points + connection_points as numeric(9, 2)) as referral_score,
    potential_band,
    case potential_band
        when 'not_now' then 'Complained, asked for money back or rated poorly lately'
        when 'unknown' then 'No recommendation score lately: ask for one first'
        when 'unconvinced' then 'Recommendation score ' || cast(nps_score as {{ dbt.type_string() }}) || ' of 10'
        when 'ask_again'
            then
                'Score ' || cast(nps_score as {{ dbt.type_string() }}) || ' of 10, and '
                || cast(referrals_converted as {{ dbt.type_string() }}) || ' referred people bought'
        when 'ask'
            then
                'Score ' || cast(nps_score as {{ dbt.type_string() }}) || ' of 10, '
                || cast(referrals_made as {{ dbt.type_string() }}) || ' referrals made, '
                || cast(classmates as {{ dbt.type_string() }}) || ' schoolmates of the grade to bring'
        else 'Score ' || cast(nps_score as {{ dbt.type_string() }}) || ' of 10, but few connections are known'
    end as reason_en,
    case potential_band
        when 'not_now' then '近期有投诉、退费申请或低分'
        when 'unknown' then '近期无推荐评分，先请其评分'
        when 'unconvinced' then '推荐评分 ' || cast(nps_score as {{ dbt.type_string() }})
        when 'ask_again'
            then
                '推荐评分 ' || cast(nps_score as {{ dbt.type_string() }}) || '，已带来 '
                || cast(referrals_converted as {{ dbt.type_string() }}) || ' 位成交'
        when 'ask'
            then
                '推荐评分 ' || cast(nps_score as {{ dbt.type_string() }}) || '，转介绍 '
                || cast(referrals_made as {{ dbt.type_string() }}) || ' 次，同校同年级可介绍 '
                || cast(classmates as {{ dbt.type_string() }}) || ' 人'
        else '推荐评分 ' || cast(nps_score as {{ dbt.type_string() }}) || '，已知人脉较少'
    end as reason_zh
from banded
