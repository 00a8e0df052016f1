-- One row per line of a customer whose lines come from campuses with different days of grace: the stretch of served
-- days that it belongs to. The grace of a run is that of the campus of its first paid line, so that one line after the
-- other has to be looked at; everybody else is reckoned at once, in int_entitlement.
with recursive

mixed as (
    select customer_id
    from {{ ref('int_line_end') }}
    group by customer_id
    having min(grace_days) < max(grace_days)
),

lines as (
    select
        line_ends.line_id,
        line_ends.customer_id,
        line_ends.is_gift,
        line_ends.granted_on,
        line_ends.covers_to,
        line_ends.ended_by,
        line_ends.grace_days,
        row_number() over (
            partition by line_ends.customer_id
            order by line_ends.granted_on, line_ends.is_gift, line_ends.line_id
        ) as line_no
    from mixed
    inner join {{ ref('int_line_end') }} as line_ends on line_ends.customer_id = mixed.customer_id
),

-- Of the stretch so far: the grace of its run, once there is one; the last day covered by lines that end by themselves
-- and by lines that were cut; and, before there is a run, the last day served by each line's own grace.
steps as (
    select
        line_id,
        customer_id,
        line_no,
        1 as stretch_no,
        case when not is_gift then grace_days end as run_grace_days,
        case when ended_by = 'itself' then covers_to end as self_to,
        case when ended_by <> 'itself' then covers_to end as cut_to,
        case when ended_by = 'itself' then {{ add_days('covers_to', 'grace_days') }} else covers_to end as own_served_to
    from lines
    where line_no = 1
    union all
    select
        joined.line_id,
        joined.customer_id,
        joined.line_no,
        joined.stretch_no + case when joined.is_adjacent then 0 else 1 end as stretch_no,
        case
            when joined.is_adjacent and joined.run_grace_days is not null then joined.run_grace_days
            when not joined.is_gift then joined.grace_days
        end as run_grace_days,
        greatest(
            case when joined.is_adjacent then joined.self_to end,
            case when joined.ended_by = 'itself' then joined.covers_to end
        ) as self_to,
        greatest(
            case when joined.is_adjacent then joined.cut_to end,
            case when joined.ended_by <> 'itself' then joined.covers_to end
        ) as cut_to,
        greatest(
            case when joined.is_adjacent then joined.own_served_to end,
            case
                when joined.ended_by = 'itself' then {{ add_days('joined.covers_to', 'joined.grace_days') }}
                else joined.covers_to
            end
        ) as own_served_to
    from (
        select
            lines.line_id,
            lines.customer_id,
            lines.line_no,
            lines.is_gift,
            lines.covers_to,
            lines.ended_by,
            lines.grace_days,
            steps.stretch_no,
            steps.run_grace_days,
            steps.self_to,
            steps.cut_to,
            steps.own_served_to,
            lines.granted_on <= {{ add_days(
                'case when steps.run_grace_days is null then steps.own_served_to else greatest('
                ~ add_days('steps.self_to', 'steps.run_grace_days') ~ ', steps.cut_to) end',
                1
            ) }} as is_adjacent
        from steps
        inner join lines
            on
                lines.customer_id = steps.customer_id
                and lines.line_no = steps.line_no + 1
    ) as joined
)

select
    line_id,
    customer_id,
    stretch_no
from steps
