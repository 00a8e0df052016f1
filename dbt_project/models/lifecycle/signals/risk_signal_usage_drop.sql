-- One row per run and unbroken stretch of weeks in which study has fallen to half or less of the four weeks before.
-- Instead of looking at every week, counts are carried from change to change: a week of study enters the recent weeks
-- one week later, moves to the earlier ones four weeks after that, and leaves those after four more.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

study_days as (
    select * from {{ ref('int_run_study_day') }}
),

pauses as (
    select * from {{ ref('int_pause') }}
),

closed_weeks as (
    select * from {{ ref('int_closed_weeks') }}
),

weeks as (
    select
        customer_id,
        run_no,
        {{ start_of('week', 'study_on') }} as week_on,
        count(*) as days
    from study_days
    group by 1, 2, 3
),

run_weeks as (
    select
        weeks.customer_id,
        weeks.run_no,
        weeks.week_on,
        weeks.days,
        rules.usage_window_weeks
    from weeks
    inner join runs
        on
            runs.customer_id = weeks.customer_id
            and runs.run_no = weeks.run_no
    inner join rules on rules.campus_id = runs.campus_id
),

steps as (
    select
        customer_id,
        run_no,
        {{ add_days('week_on', 7) }} as week_on,
        days as recent_days,
        0 as prior_days
    from run_weeks
    union all
    select
        customer_id,
        run_no,
        {{ add_days('week_on', '7 + 7 * usage_window_weeks') }} as week_on,
        -days as recent_days,
        days as prior_days
    from run_weeks
    union all
    select
        customer_id,
        run_no,
        {{ add_days('week_on', '7 + 14 * usage_window_weeks') }} as week_on,
        0 as recent_days,
        -days as prior_days
    from run_weeks
),

changes as (
    select
        customer_id,
        run_no,
        week_on,
        sum(recent_days) as recent_days,
        sum(prior_days) as prior_days
    from steps
    group by customer_id, run_no, week_on
),

counted as (
    select
        customer_id,
        run_no,
        week_on,
        sum(recent_days) over (partition by customer_id, run_no order by week_on) as recent_days,
        sum(prior_days) over (partition by customer_id, run_no order by week_on) as prior_days,
        lead(week_on) over (partition by customer_id, run_no order by week_on) as next_week_on
    from changes
),

-- The earlier weeks have to lie in the run, whole.
dropped as (
    select
        counted.customer_id,
        counted.run_no,
        runs.campus_id,
        counted.recent_days,
        counted.prior_days,
        greatest(
            counted.week_on,
            {{ start_of('week', add_days('runs.started_on', '6 + 14 * rules.usage_window_weeks')) }}
        ) as opened_on,
        least(
            coalesce(counted.next_week_on, {{ far_day() }}),
            {{ add_days('runs.ended_on', 1) }}
        ) as closed_on,
        rules.usage_window_weeks
    from counted
    inner join runs
        on
            runs.customer_id = counted.customer_id
            and runs.run_no = counted.run_no
    inner join rules on rules.campus_id = runs.campus_id
    where
        counted.prior_days >= rules.usage_prior_min
        and counted.recent_days <= rules.usage_ratio_max * counted.prior_days
        and coalesce(counted.next_week_on, {{ far_day() }})
        > {{ start_of('week', add_days('runs.started_on', '6 + 14 * rules.usage_window_weeks')) }}
        and counted.week_on <= runs.ended_on
),

-- Weeks that say nothing: too many closed days in the recent ones, or a pause in any that are compared.
silent as (
    select
        dropped.customer_id,
        dropped.run_no,
        closed_weeks.first_week_on,
        closed_weeks.next_week_on
    from dropped
    inner join closed_weeks
        on
            closed_weeks.campus_id = dropped.campus_id
            and closed_weeks.first_week_on < dropped.closed_on
            and closed_weeks.next_week_on > dropped.opened_on
    union all
    select
        dropped.customer_id,
        dropped.run_no,
        -- From the first Monday after the pause began to the last one that looks back on it.
        {{ start_of('week', add_days('pauses.paused_from', 7)) }} as first_week_on,
        {{ start_of('week', add_days('pauses.paused_to', '7 + 14 * dropped.usage_window_weeks')) }} as next_week_on
    from dropped
    inner join pauses on pauses.customer_id = dropped.customer_id
),

edges as (
    select
        customer_id,
        run_no,
        opened_on as day_on,
        recent_days,
        prior_days,
        1 as is_dropped,
        0 as is_silent
    from dropped
    union all
    select
        customer_id,
        run_no,
        closed_on as day_on,
        -recent_days as recent_days,
        -prior_days as prior_days,
        -1 as is_dropped,
        0 as is_silent
    from dropped
    union all
    select
        customer_id,
        run_no,
        first_week_on as day_on,
        0 as recent_days,
        0 as prior_days,
        0 as is_dropped,
        1 as is_silent
    from silent
    union all
    select
        customer_id,
        run_no,
        next_week_on as day_on,
        0 as recent_days,
        0 as prior_days,
        0 as is_dropped,
        -1 as is_silent
    from silent
),

net_edges as (
    select
        customer_id,
        run_no,
        day_on,
        sum(recent_days) as recent_days,
        sum(prior_days) as prior_days,
        sum(is_dropped) as is_dropped,
        sum(is_silent) as is_silent
    from edges
    group by customer_id, run_no, day_on
),

pieces as (
    select
        customer_id,
        run_no,
        day_on as opened_on,
        lead(day_on) over (partition by customer_id, run_no order by day_on) as closed_on,
        sum(recent_days) over (partition by customer_id, run_no order by day_on) as recent_days,
        sum(prior_days) over (partition by customer_id, run_no order by day_on) as prior_days,
        sum(is_dropped) over (partition by customer_id, run_no order by day_on) as is_dropped,
        sum(is_silent) over (partition by customer_id, run_no order by day_on) as is_silent
    from net_edges
)

select
    customer_id,
    run_no,
    opened_on,
    closed_on,
    {{ json_object({
        'week_on': start_of('week', 'opened_on'),
        'recent_study_days': 'recent_days',
        'prior_study_days': 'prior_days',
    }) }} as evidence
from pieces
where
    is_dropped > 0
    and is_silent = 0
