-- One row per run and week with homework that makes the last weeks with homework all too poorly done, open from the
-- Monday after it until the Monday after the next such week.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

pauses as (
    select * from {{ ref('int_pause') }}
),

homework as (
    select * from {{ ref('int_lifecycle_homework') }}
),

due as (
    select
        runs.customer_id,
        runs.run_no,
        runs.campus_id,
        {{ start_of('week', 'homework.due_on') }} as week_on,
        homework.submitted_on
    from runs
    inner join homework
        on
            homework.customer_id = runs.customer_id
            and homework.due_on between runs.started_on and runs.ended_on
    left join pauses
        on
            pauses.customer_id = homework.customer_id
            and homework.due_on between pauses.paused_from and pauses.paused_to
    where
        homework.due_on <= {{ as_of() }}
        and pauses.customer_id is null
),

weeks as (
    select
        customer_id,
        run_no,
        campus_id,
        week_on,
        count(*) as due_count,
        count(
            case
                when submitted_on <= {{ add_days('week_on', 6) }} and submitted_on <= {{ as_of() }} then 1
            end
        ) as done_count
    from due
    group by customer_id, run_no, campus_id, week_on
),

judged as (
    select
        weeks.customer_id,
        weeks.run_no,
        weeks.week_on,
        weeks.due_count,
        weeks.done_count,
        weeks.done_count < rules.homework_threshold * weeks.due_count as is_poor,
        rules.homework_weeks,
        lead(weeks.week_on) over (
            partition by weeks.customer_id, weeks.run_no order by weeks.week_on
        ) as next_week_on,
        row_number() over (partition by weeks.customer_id, weeks.run_no order by weeks.week_on) as week_no
    from weeks
    inner join rules on rules.campus_id = weeks.campus_id
),

streaks as (
    select
        judged.*,
        week_no - coalesce(
            max(case when not is_poor then week_no end) over (partition by customer_id, run_no order by week_no),
            0
        ) as poor_weeks
    from judged
)

select
    customer_id,
    run_no,
    {{ add_days('week_on', 7) }} as opened_on,
    case when next_week_on is null then {{ far_day() }} else {{ add_days('next_week_on', 7) }} end as closed_on,
    {{ json_object({
        'week_on': 'week_on',
        'due': 'due_count',
        'done': 'done_count',
        'poor_weeks': 'poor_weeks',
    }) }} as evidence
from streaks
where poor_weeks >= homework_weeks
