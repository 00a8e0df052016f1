-- One row per campus and Monday for which a change of closed days changes whether the weeks before say anything.
{% set before = previous('int_lifecycle_closed_day') %}
{% set earlier = previous('changed_closed_week') %}
with

closed_now as (
    select
        campus_id,
        closed_on
    from {{ ref('stg_closed_days') }}
    group by campus_id, closed_on
),

{% if is_incremental_build() and before %}

    rules as (
        select * from {{ ref('lifecycle_rules') }}
    ),

    closed_before as (
        select
            campus_id,
            closed_on
        from {{ before }}
    ),

    changed_days as (
        (
            select
                campus_id,
                closed_on
            from closed_now
            except
            select
                campus_id,
                closed_on
            from closed_before
        )
        union
        (
            select
                campus_id,
                closed_on
            from closed_before
            except
            select
                campus_id,
                closed_on
            from closed_now
        )
    ),

    windows as (
        select cast(value as integer) * 7 as window_days
        from rules
        where rule = 'usage_window_weeks'
        -- Campuses may share a value.
        group by cast(value as integer) * 7
    ),

    campuses as (
        select campus_id from {{ ref('stg_campuses') }}
        union
        -- Customers without a campus know the days that are closed for all.
        select '' as campus_id
    ),

    steps as (
        {% for week in range(1, 27) %}
            select {{ 7 * week }} as days
            {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    weeks as (
        select
            campuses.campus_id,
            windows.window_days,
            {{ start_of('week', add_days('changed_days.closed_on', 'steps.days')) }} as week_on
        from changed_days
        inner join campuses on campuses.campus_id = coalesce(changed_days.campus_id, campuses.campus_id)
        cross join windows
        inner join steps on steps.days <= windows.window_days
        group by campuses.campus_id, windows.window_days, week_on
    ),

    counted as (
        select
            weeks.campus_id,
            weeks.week_on,
            weeks.window_days,
            (
                select count(distinct closed_now.closed_on)
                from closed_now
                where
                    coalesce(closed_now.campus_id, weeks.campus_id) = weeks.campus_id
                    and closed_now.closed_on >= {{ add_days('weeks.week_on', '-weeks.window_days') }}
                    and closed_now.closed_on < weeks.week_on
            ) as closed_now,
            (
                select count(distinct closed_before.closed_on)
                from closed_before
                where
                    coalesce(closed_before.campus_id, weeks.campus_id) = weeks.campus_id
                    and closed_before.closed_on >= {{ add_days('weeks.week_on', '-weeks.window_days') }}
                    and closed_before.closed_on < weeks.week_on
            ) as closed_before
        from weeks
    ),

    flipped as (
        select
            counted.campus_id,
            counted.week_on
        from counted
        inner join rules on rules.rule = 'closed_days_max'
        where (counted.closed_now >= rules.value) <> (counted.closed_before >= rules.value)
        {% if earlier %}
            union
            -- Found by a build that was not published: the closed days of before are gone by now.
            select
                campus_id,
                week_on
            from {{ earlier }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    flipped as (
        select
            closed_now.campus_id,
            closed_now.closed_on as week_on
        from closed_now
        where false
    )

{% endif %}

select
    campus_id,
    week_on,
    '{{ var("build_id") }}' as build_id
from flipped
-- Windows and thresholds of several campuses may agree.
group by campus_id, week_on
