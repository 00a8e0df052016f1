{# What the segment models share. #}

{# Amounts in other currencies are left out of scores and of rates: they cannot be added. #}
{% macro reporting_currency() -%}
    '{{ var("reporting_currency") }}'
{%- endmacro %}

{# A query of the cash of customers, a row per payment and per refund (negative), on the day on which it moved, in the
   reporting currency. #}
{% macro cash_moved() -%}
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
{%- endmacro %}

{# Whether a month, and so many days after it, are over by the end of the day of the build. #}
{% macro is_month_over(month_on, days_after=0) -%}
    {{ add_days(month_after(month_on), days_after) }} <= {{ add_days(as_of(), 1) }}
{%- endmacro %}

{# A rate with its six digits: nothing where there is nothing to divide by, nor while it can still change. #}
{% macro rate(numerator, denominator, is_final='true', kind='numeric(9, 6)') -%}
    cast(
        case
            when {{ is_final }} then cast({{ numerator }} as numeric) / nullif({{ denominator }}, 0)
        end as {{ kind }}
    )
{%- endmacro %}

{# The indicators of value, as columns of int_value_input, separated by commas; weights and bands are rows of the seeds
   value_indicators and value_bands, and a test holds them together. #}
{% macro value_indicators() -%}
    net_paid,hours_consumed,purchases,tenure,price_realised,cost_to_serve,
    {#- -#} school_years,subjects_left,engagement_trend,result_trend,referrals,income
{%- endmacro %}

{# A term added up over the indicators of value; {} in it stands for the indicator. #}
{% macro of_all_indicators(term) -%}
    {%- for indicator in value_indicators().split(',') -%}
        {{ term.replace('{}', indicator) }}{{ ' + ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# A night's build is tuned for a few customers; these models join whole tables in it as well. Where the planner takes the
   result of a window for one row, a nested loop would run for hours. Of a model that is incremental the length of its list
   decides (macro join_by_scope); one that keeps the rows of its day (their column is meta.standing_day) has a few customers
   only where it stands for the day already. #}
{% macro join_whole_tables(node=model, relation=this) -%}
    {{ return(adapter.dispatch('join_whole_tables')(node, relation)) }}
{%- endmacro %}

{% macro default__join_whole_tables(node, relation) -%}
{%- endmacro %}

{% macro postgres__join_whole_tables(node, relation) -%}
    {%- set day = node.config.meta.get('standing_day') -%}
    {%- set is_there = execute and is_incremental_build() and adapter.get_relation(
        database=relation.database, schema=relation.schema, identifier=relation.identifier
    ) -%}
    {%- if is_there and day -%}
        select set_config('enable_nestloop', 'off', true)
        where not exists (select 1 from {{ relation }} where {{ day }} = {{ as_of() }})
    {%- elif is_there and node.config.materialized == 'incremental' -%}
    {%- else -%}
        set local enable_nestloop = off
    {%- endif -%}
{%- endmacro %}

{# An end of Wilson's 95 % interval for a share of so many; `sign` is - for the lower and + for the upper one. #}
{% macro wilson(sign, share, units) -%}
    {%- set z = 1.959964 -%}
    (
        {{ share }} + {{ z * z / 2 }} / {{ units }}
        {{ sign }} {{ z }} * sqrt(
            {{ share }} * (1 - {{ share }}) / {{ units }} + {{ z * z / 4 }} / ({{ units }} * {{ units }})
        )
    ) / (1 + {{ z * z }} / {{ units }})
{%- endmacro %}

{# Courses with a subject, and the day from which each was offered: rows of int_course_offered, also for what comes before
   it. #}
{% macro offered_courses() -%}
    select
        courses.course_id,
        courses.subject,
        courses.school_level,
        first_held.first_on
    from {{ ref('dim_course') }} as courses
    left join (
        select
            held.course_id,
            min(held.day_on) as first_on
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
        group by held.course_id
    ) as first_held on first_held.course_id = courses.course_id
    where courses.subject is not null
{%- endmacro %}
