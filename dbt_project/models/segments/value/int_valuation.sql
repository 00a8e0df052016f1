-- One row per reportable customer and valuation: now, and the end of the month before (month_before).
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
{% set rules = {
    'high_score': 'numeric',
    'by_percentile': 'integer',
    'least_weight_known': 'numeric',
    'money_days': 'integer',
    'engagement_days': 'integer',
    'engagement_least_days': 'integer',
    'result_days': 'integer',
} %}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

customers as (
    select dim_customer.*
    from changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = changed.customer_id
    where dim_customer.is_reportable
),

attributes as (
    select attributes.*
    from changed
    inner join {{ ref('dim_customer_history') }} as attributes on attributes.customer_id = changed.customer_id
),

spans as (
    select spans.*
    from changed
    inner join {{ ref('fct_lifecycle_span') }} as spans on spans.customer_id = changed.customer_id
),

rules as (
    select
        nullif(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('value_rules') }}
),

defaults as (
    select
    {% for rule in rules %}
            max(case when rule = '{{ rule }}' then value end) as {{ rule }}{{ ',' if not loop.last }}
    {% endfor %}
    from rules
    where campus_id is null
),

own as (
    select
        campus_id,
    {% for rule in rules %}
        max(case when rule = '{{ rule }}' then value end) as {{ rule }}{{ ',' if not loop.last }}
    {% endfor %}
    from rules
    where campus_id is not null
    group by campus_id
),

valuation_days as (
    select
        'now' as valuation,
        {{ as_of() }} as day_on
    union all
    select
        'month_before' as valuation,
        {{ add_days(start_of('month', as_of()), -1) }} as day_on
),

ended_runs as (
    select
        customer_id,
        run_no,
        min(valid_from) as left_on
    from spans
    where phase_code = 'churned'
    group by customer_id, run_no
),

placed as (
    select
        customers.customer_id,
        valuation_days.valuation,
        customers.campus_id,
        customers.grade,
        customers.learner_band,
        spans.phase_code,
        -- A leaver is valued on the last day as a customer: the worth of winning back.
        case
            when spans.phase_code = 'churned' then {{ add_days('ended_runs.left_on', -1) }} else valuation_days.day_on
        end as valued_on
    from customers
    inner join valuation_days on valuation_days.day_on >= customers.first_contact_on
    inner join spans
        on
            spans.customer_id = customers.customer_id
            and spans.valid_from <= valuation_days.day_on
            and (spans.valid_to is null or spans.valid_to > valuation_days.day_on)
    left join ended_runs
        on
            ended_runs.customer_id = spans.customer_id
            and ended_runs.run_no = spans.run_no
)

select
    placed.customer_id,
    placed.valuation,
    placed.campus_id,
    -- The grade of that day: a leaver has grown older since. Where no history is kept, the one the source has.
    case when attributes.customer_id is null then placed.grade else attributes.grade end as grade,
    case when attributes.customer_id is null then placed.learner_band else attributes.learner_band end as learner_band,
    placed.phase_code,
    placed.valued_on,
{% for rule, kind in rules.items() %}
    cast(coalesce(own.{{ rule }}, defaults.{{ rule }}) as {{ kind }}) as {{ rule }}{{ ',' if not loop.last }}
{% endfor %}
from placed
cross join defaults
left join own on own.campus_id = placed.campus_id
left join attributes
    on
        attributes.customer_id = placed.customer_id
        and attributes.valid_from <= placed.valued_on
        and (attributes.valid_to is null or attributes.valid_to > placed.valued_on)
