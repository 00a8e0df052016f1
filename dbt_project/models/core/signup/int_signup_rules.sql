-- One row per campus with a rule of its own, and one ('') for every other: the rules of leads and care that hold there.
{{ config(materialized='table') }}
{% set rules = [
    'intent_high_points', 'intent_medium_points', 'tier_a_days', 'tier_b_days', 'zombie_days',
    'zombie_unanswered_calls', 'complaint_again_days', 'signal_before_days', 'still_there_days',
    'renewal_window_days',
] %}
with

rules as (
    select
        coalesce(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('signup_rules') }}
),

campuses as (
    select campus_id
    from rules
    union
    select '' as campus_id
)

select
    campuses.campus_id,
{% for rule in rules %}
    cast(
        coalesce(
            max(case when rules.rule = '{{ rule }}' and rules.campus_id = campuses.campus_id then rules.value end),
            max(case when rules.rule = '{{ rule }}' and rules.campus_id = '' then rules.value end)
        ) as integer
    ) as {{ rule }}{{ ',' if not loop.last }}
{% endfor %}
from campuses
inner join rules on rules.campus_id in (campuses.campus_id, '')
group by campuses.campus_id
