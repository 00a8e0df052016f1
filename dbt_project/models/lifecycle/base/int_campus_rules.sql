-- One row per campus, and one ('') for customers without a campus: the rules that hold there.
{% set rules = {
    'grace_days': 'integer',
    'onboarding_days': 'integer',
    'onboarding_study_days': 'integer',
    'mature_days': 'integer',
    'mature_purchase_days': 'integer',
    'mature_study_days': 'integer',
    'dormant_after_days': 'integer',
    'detractor_score_max': 'integer',
    'detractor_days': 'integer',
    'inactive_days': 'integer',
    'absences_of_last': 'integer',
    'absences_min': 'integer',
    'homework_threshold': 'numeric',
    'homework_weeks': 'integer',
    'usage_prior_min': 'integer',
    'usage_ratio_max': 'numeric',
    'usage_window_weeks': 'integer',
    'closed_days_max': 'integer',
    'exit_reason_days': 'integer',
    'expectation_days': 'integer',
} %}
with

rules as (
    select
        -- No campus: the default of every campus.
        nullif(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('lifecycle_rules') }}
),

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

lines as (
    select * from {{ ref('int_lifecycle_line') }}
),

campuses as (
    select campus_id
    from customers
    where campus_id is not null
    union
    select campus_id
    from lines
    where campus_id is not null
    union
    select campus_id
    from rules
    where campus_id is not null
    union
    select '' as campus_id
),

by_campus as (
    select
        campuses.campus_id,
    {% for rule, kind in rules.items() %}
        cast(
            coalesce(
                max(case when rules.rule = '{{ rule }}' and rules.campus_id is not null then rules.value end),
                max(case when rules.rule = '{{ rule }}' and rules.campus_id is null then rules.value end)
            ) as {{ kind }}
        ) as {{ rule }}{{ ',' if not loop.last }}
    {% endfor %}
    from campuses
    left join rules
        on
            rules.campus_id = campuses.campus_id
            or rules.campus_id is null
    group by campuses.campus_id
)

select
    campus_id,
    {% for rule in rules %}
        {{ rule }},
    {% endfor %}
    -- The version changes with any number that holds at the campus, and with nothing else.
    substr({{ hash_of(rules | list) }}, 1, 12) as rule_version
from by_campus
