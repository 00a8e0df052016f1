-- One row per line that entitles on at least one day, granted up to the day of the build: the days it covers and is
-- served, and the run that it belongs to (LIFECYCLE.md, "Active runs"). Ends may lie after that day.
with

lines as (
    select * from {{ ref('int_line_end') }}
),

mixed_stretches as (
    select * from {{ ref('int_mixed_stretch') }}
),

reached as (
    select
        lines.*,
        mixed_stretches.stretch_no as mixed_stretch_no,
        -- A line cut short by a refund or a withdrawal earns no grace: the customer has said goodbye.
        max(
            case
                when lines.ended_by = 'itself' then {{ add_days('lines.covers_to', 'lines.grace_days') }}
                else lines.covers_to
            end
        ) over (
            partition by lines.customer_id
            order by lines.granted_on, lines.line_id
            rows between unbounded preceding and 1 preceding
        ) as served_before_to
    from lines
    left join mixed_stretches on mixed_stretches.line_id = lines.line_id
),

stretches as (
    select
        reached.*,
        coalesce(
            mixed_stretch_no,
            sum(
                case when granted_on <= {{ add_days('served_before_to', 1) }} then 0 else 1 end
            ) over (
                partition by customer_id
                order by granted_on, line_id
                rows between unbounded preceding and current row
            )
        ) as stretch_no
    from reached
),

-- The run in a stretch begins with its first purchase; a stretch of gifts alone is none.
firsts as (
    select
        stretches.*,
        case
            when
                not is_gift
                and row_number() over (
                    partition by customer_id, stretch_no
                    order by case when is_gift then 1 else 0 end, granted_on, line_id
                ) = 1
                then 1
            else 0
        end as is_first
    from stretches
),

-- The rules of the campus of the run's first line hold for the whole run.
runs as (
    select
        firsts.*,
        max(case when is_first = 1 then granted_on end) over (partition by customer_id, stretch_no) as run_started_on,
        max(case when is_first = 1 then campus_id end) over (partition by customer_id, stretch_no) as run_campus_id,
        max(case when is_first = 1 then grace_days end) over (partition by customer_id, stretch_no) as run_grace_days,
        sum(is_first) over (partition by customer_id order by stretch_no) as runs_so_far
    from firsts
),

served as (
    select
        runs.*,
        case
            when ended_by = 'itself' then {{ add_days('covers_to', 'coalesce(run_grace_days, grace_days)') }}
            else covers_to
        end as served_to
    from runs
)

select
    line_id,
    customer_id,
    coalesce(run_campus_id, campus_id) as campus_id,
    cast(stretch_no as integer) as stretch_no,
    case when run_started_on is not null then cast(runs_so_far as integer) end as run_no,
    run_started_on,
    case
        when run_started_on is not null then max(served_to) over (partition by customer_id, stretch_no)
    end as run_ended_on,
    order_id,
    is_gift,
    delivery,
    granted_on,
    starts_on,
    covers_to,
    ended_by,
    served_to,
    cut_cause_table,
    cut_cause_id
from served
