-- One row per line that entitles on at least one day, granted up to the day of the build: the days it covers, and how
-- it ended. Ends may lie after the day of the build.
with

lines as (
    select * from {{ ref('int_lifecycle_line') }}
),

customers as (
    select * from {{ ref('int_lifecycle_customer') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

packages as (
    select
        line_id,
        customer_id,
        lessons
    from {{ ref('int_lifecycle_line') }}
    where
        kind = 'package'
        and lessons is not null
        and granted_on <= {{ as_of() }}
),

attended as (
    select * from {{ ref('int_lifecycle_outcome') }}
),

consumed as (
    select
        attended.line_id,
        packages.lessons,
        {{ day_of('attended.lesson_at') }} as consumed_on,
        sum(attended.hours) over (
            partition by attended.customer_id, attended.line_id
            order by attended.lesson_at
        ) as lessons_consumed
    from attended
    inner join packages
        on
            packages.line_id = attended.line_id
            and packages.customer_id = attended.customer_id
    where
        attended.outcome = 'attended'
        and {{ day_of('attended.lesson_at') }} <= {{ as_of() }}
),

used_up as (
    select
        line_id,
        min(consumed_on) as used_up_on
    from consumed
    where lessons_consumed >= lessons
    group by line_id
),

own_ends as (
    select
        lines.line_id,
        lines.customer_id,
        coalesce(lines.campus_id, customers.campus_id, '') as campus_id,
        lines.order_id,
        lines.is_gift,
        lines.delivery,
        lines.granted_on,
        coalesce(lines.starts_on, lines.granted_on) as starts_on,
        least(
            coalesce(lines.ends_on, {{ far_day() }}),
            coalesce(used_up.used_up_on, {{ far_day() }})
        ) as own_end_on,
        lines.cut_on,
        lines.cut_by,
        lines.cut_cause_table,
        lines.cut_cause_id
    from lines
    inner join customers on customers.customer_id = lines.customer_id
    left join used_up on used_up.line_id = lines.line_id
    where lines.granted_on <= {{ as_of() }}
),

cuts as (
    select
        own_ends.*,
        -- A cut that lies ahead is not known yet; one after the line's own end changes nothing.
        cut_on is not null and cut_on <= own_end_on and cut_on <= {{ as_of() }} as is_cut
    from own_ends
),

covered as (
    select
        cuts.*,
        case when is_cut then {{ add_days('cut_on', -1) }} else own_end_on end as covers_to
    from cuts
)

select
    covered.line_id,
    covered.customer_id,
    covered.campus_id,
    rules.grace_days,
    covered.order_id,
    covered.is_gift,
    covered.delivery,
    covered.granted_on,
    covered.starts_on,
    covered.covers_to,
    case when covered.is_cut then covered.cut_by else 'itself' end as ended_by,
    case when covered.is_cut then covered.cut_cause_table end as cut_cause_table,
    case when covered.is_cut then covered.cut_cause_id end as cut_cause_id
from covered
inner join rules on rules.campus_id = covered.campus_id
-- A line left with no day is no purchase and entitles to nothing.
where covered.covers_to >= covered.granted_on
