{# What the models of risk share. #}

{# The days that features are reckoned for, `day_on`: the day of the build; for training the days handed over (at most that
   day), so that both run the same SQL. #}
{% macro feature_days() -%}
    {%- for day in var('feature_days', []) or [none] -%}
        select {% if day %}cast('{{ day }}' as date){% else %}{{ as_of() }}{% endif %} as day_on
        {{- '\n    union all\n    ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Features of a customer, as columns of customer_features, separated by commas. Each is a row of the seed risk_feature. #}
{% macro customer_features() -%}
    tenure_days,run_days,run_no,stage_ordinal,danger,voice_signals,behaviour_signals,signals_90d,
    {#- -#} study_days_28d,study_trend,days_since_study,absence_rate_56d,homework_rate_56d,test_rate_180d,
    {#- -#} purchases,days_since_purchase,net_paid_365d,hours_left,days_to_due,
    {#- -#} complaints_365d,nps_score,refund_requests_365d,referrals
{%- endmacro %}

{# Features of an enrolment, as columns of enrolment_features. #}
{% macro enrolment_features() -%}
    elapsed_rate,days_to_end,course_absence_rate,course_homework_rate,course_missing_homework,course_test_rate,
    {#- -#} course_tests,other_test_rate,goal_gap,danger,study_days_28d,days_since_study,tenure_days,earlier_fails
{%- endmacro %}

{# A rule of the seed risk_rules, as a number. #}
{% macro risk_rule(rule) -%}
    (select rules.value from {{ ref('risk_rules') }} as rules where rules.rule = '{{ rule }}')
{%- endmacro %}

{# What the models of risk score, in long form: target, who (a customer or an enrolment), feature and value (null: not
   known). Renewals are scored for those who are due soon, or over. #}
{% macro risk_inputs() -%}
    {%- for target, relation, key, features, condition in [
        ('churn', 'customer_features', 'customer_id', customer_features(), 'true'),
        ('renewal', 'customer_features', 'customer_id', customer_features(),
         'days_to_due <= ' ~ risk_rule('renewal_due_days')),
        ('pass', 'enrolment_features', 'enrolment_id', enrolment_features(), 'true'),
    ] -%}
        select
            '{{ target }}' as target,
            long.{{ key }} as scored_id,
            long.feature,
            long.value
        from {{ unpivot(ref(relation), key, features, condition) }} as long
        {{- '\nunion all\n' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Measures of a fit that are shown beside it: keys of meta.risk_model.measures. #}
{% macro risk_measures() -%}
    proven_rows,proven_cases,auc,rule_auc,precision_top_tenth,rule_precision_top_tenth,brier,rule_brier
{%- endmacro %}

{# The three reasons of a row of int_risk_score. #}
{% macro risk_reasons(scores) -%}
    {%- for place in (1, 2, 3) -%}
        {%- for part in ('code', 'en', 'zh') %}
    {{ scores }}.reason_{{ place }}_{{ part }}{{ ',' if not (place == 3 and part == 'zh') }}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}

{# A value of a feature as people read it: whole numbers, shares in per cent. #}
{% macro shown_value(value, is_percent) -%}
    cast(
        case
            when {{ is_percent }} then round(cast(100 * {{ value }} as numeric), 0)
            else round(cast({{ value }} as numeric), 0)
        end as {{ dbt.type_string() }}
    )
    || case when {{ is_percent }} then '%' else '' end
{%- endmacro %}

{# A number, or the highest that it may be; not known stays not known, which `least` would not keep. #}
{% macro capped(number, highest) -%}
    case when {{ number }} > {{ highest }} then {{ highest }} else {{ number }} end
{%- endmacro %}
