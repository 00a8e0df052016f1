-- One row per campus and unbroken stretch of weeks, [first_week_on, next_week_on), before which so many days were
-- closed that little study says nothing. Weeks are named by their Monday.
with

closed_days as (
    select * from {{ ref('int_lifecycle_closed_day') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

weeks as (
    select
        rules.campus_id,
        rules.usage_window_weeks,
        rules.closed_days_max,
        {{ start_of('week', 'closed_days.closed_on') }} as week_on,
        -- A day may be closed for the campus and for all.
        count(distinct closed_days.closed_on) as days
    from rules
    inner join closed_days on coalesce(closed_days.campus_id, rules.campus_id) = rules.campus_id
    group by 1, 2, 3, 4
),

changes as (
    select
        campus_id,
        closed_days_max,
        week_on,
        sum(days) as days
    from (
        select
            campus_id,
            closed_days_max,
            {{ add_days('week_on', 7) }} as week_on,
            days
        from weeks
        union all
        select
            campus_id,
            closed_days_max,
            {{ add_days('week_on', '7 + 7 * usage_window_weeks') }} as week_on,
            -days as days
        from weeks
    ) as steps
    group by campus_id, closed_days_max, week_on
),

counted as (
    select
        campus_id,
        closed_days_max,
        week_on,
        sum(days) over (partition by campus_id order by week_on) as days_closed,
        lead(week_on) over (partition by campus_id order by week_on) as next_week_on
    from changes
)

select
    campus_id,
    week_on as first_week_on,
    coalesce(next_week_on, {{ far_day() }}) as next_week_on
from counted
where days_closed >= closed_days_max
