-- One row per run, self-paced line and gap without study long enough, open from the day that is too many unpaused days
-- after the last study (or the run's or the teaching's beginning) to the end of the gap or of the line.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

lines as (
    select * from {{ ref('int_entitlement') }}
    where
        run_no is not null
        and delivery = 'self_paced'
),

first_study_days as (
    select * from {{ ref('int_run_study_day') }}
    where study_no = 1
),

last_study_days as (
    select * from {{ ref('int_run_study_day') }}
    -- Gaps that no campus minds need not be looked at.
    where
        next_study_on is null
        or {{ days_between('study_on', 'next_study_on') }}
        > (select min(inactive_days) + 1 from {{ ref('int_campus_rules') }})
),

idle_since as (
    select * from {{ ref('int_unpaused') }}
),

reached as (
    select * from {{ ref('int_unpaused') }}
),

gaps as (
    select
        runs.customer_id,
        runs.run_no,
        runs.started_on as last_on,
        first_study_days.study_on as next_on
    from runs
    left join first_study_days
        on
            first_study_days.customer_id = runs.customer_id
            and first_study_days.run_no = runs.run_no
    union all
    select
        customer_id,
        run_no,
        study_on as last_on,
        next_study_on as next_on
    from last_study_days
),

idle as (
    select
        lines.customer_id,
        lines.run_no,
        lines.line_id,
        rules.inactive_days,
        greatest(lines.granted_on, lines.starts_on, lines.run_started_on) as active_from,
        greatest(gaps.last_on, lines.starts_on) as idle_since,
        least(
            coalesce(gaps.next_on, {{ far_day() }}),
            {{ add_days('least(lines.covers_to, lines.run_ended_on)', 1) }}
        ) as closed_on
    from lines
    inner join rules on rules.campus_id = lines.campus_id
    inner join gaps
        on
            gaps.customer_id = lines.customer_id
            and gaps.run_no = lines.run_no
            and gaps.last_on <= lines.covers_to
            and (gaps.next_on is null or gaps.next_on > lines.granted_on)
),

-- Where there are pauses: idle_since in unpaused days, the days on top, and back into the calendar.
too_long as (
    select
        idle.customer_id,
        idle.run_no,
        idle.line_id,
        idle.inactive_days,
        idle.active_from,
        idle.idle_since,
        idle.closed_on,
        {{ add_days('idle.idle_since', 'idle.inactive_days + 1') }} as too_long_on,
        idle_since.paused_days_before
        + case
            when idle.idle_since > idle_since.unpaused_to
                then {{ days_between('idle_since.unpaused_to', 'idle.idle_since') }}
            else 0
        end as paused_days_so_far
    from idle
    left join idle_since
        on
            idle_since.customer_id = idle.customer_id
            and idle.idle_since >= idle_since.unpaused_from
            and idle.idle_since < idle_since.next_unpaused_from
    where {{ add_days('idle.idle_since', 'idle.inactive_days + 1') }} < idle.closed_on
),

opened as (
    select
        too_long.customer_id,
        too_long.run_no,
        too_long.line_id,
        too_long.inactive_days,
        too_long.idle_since,
        too_long.closed_on,
        greatest(
            too_long.active_from,
            {{ add_days(
                'too_long.too_long_on',
                'coalesce(reached.paused_days_before - too_long.paused_days_so_far, 0)'
            ) }}
        ) as opened_on
    from too_long
    left join reached
        on
            reached.customer_id = too_long.customer_id
            and {{ add_days('too_long.too_long_on', 'reached.paused_days_before - too_long.paused_days_so_far') }}
            between reached.unpaused_from and reached.unpaused_to
    -- Still paused when it would be too long: not counted any further.
    where
        too_long.paused_days_so_far is null
        or reached.customer_id is not null
)

select
    customer_id,
    run_no,
    opened_on,
    closed_on,
    {{ json_object({
        'idle_since': 'idle_since',
        'line_id': 'line_id',
        'unpaused_days_allowed': 'inactive_days',
    }) }} as evidence
from opened
where opened_on < closed_on
