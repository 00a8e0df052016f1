-- One row per run and result of a learning goal below what was expected, open until the next result in the subject or
-- until it is old. A goal that is reached counts on the day it was measured, one that is missed from its due day on.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

goals as (
    select * from {{ ref('int_lifecycle_goal') }}
),

results as (
    select
        customer_id,
        goal_id,
        coalesce(subject, '') as subject,
        expected_score,
        actual_score,
        actual_score < expected_score as is_missed,
        measured_on,
        case
            -- Measured early and not there yet: the time that was given is not over.
            when actual_score < expected_score then greatest(set_on, measured_on, coalesce(due_on, measured_on))
            else greatest(set_on, measured_on)
        end as result_on
    from goals
    where
        set_on <= {{ as_of() }}
        and measured_on <= {{ as_of() }}
        and actual_score is not null
),

in_order as (
    select
        results.*,
        -- Of several results of a day in a subject the one furthest below counts.
        row_number() over (
            partition by customer_id, subject, result_on
            order by actual_score - expected_score, goal_id
        ) as place
    from results
),

last_of_day as (
    select
        customer_id,
        goal_id,
        expected_score,
        actual_score,
        is_missed,
        measured_on,
        result_on,
        lead(result_on) over (partition by customer_id, subject order by result_on) as next_result_on
    from in_order
    where place = 1
)

select
    runs.customer_id,
    runs.run_no,
    last_of_day.result_on as opened_on,
    least(
        {{ add_days('last_of_day.result_on', 'rules.expectation_days') }},
        coalesce(last_of_day.next_result_on, {{ far_day() }})
    ) as closed_on,
    {{ json_object({
        'goal_id': 'last_of_day.goal_id',
        'measured_on': 'last_of_day.measured_on',
        'expected_score': 'last_of_day.expected_score',
        'actual_score': 'last_of_day.actual_score',
    }) }} as evidence
from runs
inner join rules on rules.campus_id = runs.campus_id
inner join last_of_day
    on
        last_of_day.customer_id = runs.customer_id
        and last_of_day.is_missed
        and last_of_day.result_on <= runs.ended_on
        and {{ add_days('last_of_day.result_on', 'rules.expectation_days') }} > runs.started_on
