-- One row per campus with a number of its own, and one ('') for every other: the numbers that the lists go by there.
{% set rules = {
    'owner_daily_cap': 'integer',
    'contact_cap_touches': 'integer',
    'contact_cap_days': 'integer',
    'guardian_below_age': 'integer',
    'no_login_days': 'integer',
    'homework_missed_min': 'integer',
    'homework_days': 'integer',
    'low_balance_hours': 'numeric',
    'near_expiry_days': 'integer',
    'exam_before_days': 'integer',
    'exam_after_days': 'integer',
    'new_course_days': 'integer',
    'near_end_days': 'integer',
    'result_days': 'integer',
    'growth_weeks': 'integer',
    'growth_attendance_min': 'numeric',
    'growth_homework_min': 'numeric',
    'growth_cover_weeks': 'integer',
    'interview_share': 'numeric',
    'affinity_least_customers': 'integer',
    'affinity_least_support': 'numeric',
} %}
with

limits as (
    select
        coalesce(campus_id, '') as campus_id,
        rule,
        value
    from {{ ref('action_limits') }}
),

campuses as (
    select campus_id
    from limits
    union
    select '' as campus_id
)

select
    campuses.campus_id,
{% for rule, kind in rules.items() %}
    cast(
        coalesce(
            max(case when limits.rule = '{{ rule }}' and limits.campus_id = campuses.campus_id then limits.value end),
            max(case when limits.rule = '{{ rule }}' and limits.campus_id = '' then limits.value end)
        ) as {{ kind }}
    ) as {{ rule }}{{ ',' if not loop.last }}
{% endfor %}
from campuses
inner join limits on limits.campus_id in (campuses.campus_id, '')
group by campuses.campus_id
