-- One row per lesson outcome and lot that covers hours of it; hours that no lot covers are a row without a lot.
-- A lesson takes hours of the line that its enrolment names first; what that line does not hold, and lessons that
-- name none, come first in, first out from the customer's packages for the course (docs/money_readings.md).
with recursive

lessons as (
    select * from {{ ref('int_lesson_use') }}
),

lots as (
    select
        lot_id,
        customer_id,
        course_id,
        product_line,
        kind,
        granted_on,
        total_units,
        -- The days on which it can be used: not on the day it is given up, nor after its last day.
        least(
            coalesce(ends_on, {{ far_day() }}),
            coalesce({{ add_days('settled_on', -1) }}, {{ far_day() }})
        ) as usable_to
    from {{ ref('fct_lot') }}
    where
        granted_on is not null
        and customer_id in (select customer_id from lessons)
),

named as (
    select
        lessons.attendance_id,
        lessons.customer_id,
        lessons.lesson_no,
        lessons.hours,
        lots.lot_id,
        lots.kind,
        lots.total_units,
        sum(case when lots.kind = 'package' then lessons.hours end) over (
            partition by lots.lot_id order by lessons.lesson_no
        ) as hours_so_far
    from lessons
    left join lots
        on
            lots.lot_id = lessons.order_line_id
            and lots.customer_id = lessons.customer_id
            and lessons.lesson_on between lots.granted_on and lots.usable_to
),

-- Most customers never take a lesson beyond the line it belongs to: for them there is nothing to choose.
customers as (
    select
        customer_id,
        bool_and(lot_id is not null and (kind = 'period' or hours_so_far <= total_units)) as is_plain
    from named
    group by customer_id
),

packages as (
    select
        lots.*,
        row_number() over (partition by lots.customer_id order by lots.granted_on, lots.lot_id) as lot_no
    from lots
    inner join customers on customers.customer_id = lots.customer_id
    where
        lots.kind = 'package'
        and not customers.is_plain
),

-- Whether each of the customer's packages can be used for the lesson: 0 is its own line, 1 another one.
choices as (
    select
        lessons.attendance_id,
        lessons.customer_id,
        lessons.hours,
        lessons.lesson_no,
        packages.lot_no,
        case
            when lessons.lesson_on not between packages.granted_on and packages.usable_to then null
            when packages.lot_id = lessons.order_line_id then 0
            when packages.course_id = lessons.course_id then 1
            when packages.course_id is null and packages.product_line = lessons.product_line then 1
        end as preference
    from lessons
    inner join named
        on
            named.attendance_id = lessons.attendance_id
            and coalesce(named.kind, 'none') <> 'period'
    inner join packages on packages.customer_id = lessons.customer_id
),

lined_up as (
    select
        attendance_id,
        customer_id,
        hours,
        lesson_no,
        array_agg(preference order by lot_no) as preferences
    from choices
    group by attendance_id, customer_id, hours, lesson_no
    having count(preference) > 0
),

compared as (
    select
        lined_up.*,
        lag(preferences) over (partition by customer_id order by lesson_no) as preferences_before
    from lined_up
),

-- Lessons on end that may take from the same lots in the same order are one step: what it takes is then shared out.
numbered as (
    select
        compared.*,
        sum(case when preferences is distinct from preferences_before then 1 else 0 end) over (
            partition by customer_id order by lesson_no
        ) as step_no
    from compared
),

placed as (
    select
        numbered.*,
        sum(hours) over (partition by customer_id, step_no order by lesson_no) as hours_to
    from numbered
),

steps as (
    select
        customer_id,
        step_no,
        preferences,
        sum(hours) as hours
    from placed
    group by customer_id, step_no, preferences
),

-- One row per customer, so that a step of the walk need not look through everybody's lessons.
scripts as (
    select
        customer_id,
        count(*) as step_count,
        array_agg(hours order by step_no) as hours_wanted,
        array_agg(preferences order by step_no) as preferences
    from steps
    group by customer_id
),

walk as (
    select
        packages.customer_id,
        cast(0 as bigint) as step_no,
        array_agg(coalesce(packages.total_units, 0) order by packages.lot_no) as hours_left,
        cast(null as numeric[]) as hours_taken
    from packages
    group by packages.customer_id
    union all
    select
        walk.customer_id,
        walk.step_no + 1 as step_no,
        taken.hours_left,
        taken.hours_taken
    from walk
    inner join scripts
        on
            scripts.customer_id = walk.customer_id
            and scripts.step_count > walk.step_no
    cross join {{ take_hours(
        'walk.hours_left',
        'scripts.preferences[walk.step_no + 1:walk.step_no + 1]',
        'scripts.hours_wanted[walk.step_no + 1]'
    ) }} as taken
),

taken as (
    select
        steps.customer_id,
        steps.step_no,
        taken.place as lot_no,
        taken.element as hours,
        sum(taken.element) over (
            partition by steps.customer_id, steps.step_no order by steps.preferences[taken.place], taken.place
        ) as hours_to
    from walk
    inner join steps
        on
            steps.customer_id = walk.customer_id
            and steps.step_no = walk.step_no
    cross join {{ elements('walk.hours_taken') }} as taken
    where taken.element > 0
),

-- Hours of the step in the order of its lessons, laid beside hours of the lots in the order in which they were taken.
walked as (
    select
        placed.attendance_id,
        packages.lot_id,
        least(placed.hours_to, taken.hours_to)
        - greatest(placed.hours_to - placed.hours, taken.hours_to - taken.hours) as hours
    from placed
    inner join taken
        on
            taken.customer_id = placed.customer_id
            and taken.step_no = placed.step_no
            and taken.hours_to > placed.hours_to - placed.hours
            and taken.hours_to - taken.hours < placed.hours_to
    inner join packages
        on
            packages.customer_id = taken.customer_id
            and packages.lot_no = taken.lot_no
),

covered as (
    select
        named.attendance_id,
        named.lot_id,
        named.hours
    from named
    inner join customers on customers.customer_id = named.customer_id
    where
        named.kind = 'period'
        or customers.is_plain
    union all
    select
        attendance_id,
        lot_id,
        hours
    from walked
),

covered_hours as (
    select
        attendance_id,
        sum(hours) as hours
    from covered
    group by attendance_id
)

select
    lessons.attendance_id || ':' || covered.lot_id as consumption_id,
    lessons.attendance_id,
    lessons.customer_id,
    covered.lot_id,
    cast(covered.hours as numeric(10, 2)) as hours
from covered
inner join lessons on lessons.attendance_id = covered.attendance_id
union all
select
    lessons.attendance_id || ':' as consumption_id,
    lessons.attendance_id,
    lessons.customer_id,
    null as lot_id,
    cast(lessons.hours - coalesce(covered_hours.hours, 0) as numeric(10, 2)) as hours
from lessons
left join covered_hours on covered_hours.attendance_id = lessons.attendance_id
where lessons.hours > coalesce(covered_hours.hours, 0)
