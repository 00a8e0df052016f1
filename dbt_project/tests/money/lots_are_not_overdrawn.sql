-- What: more hours were taken from a package than it holds, or a lesson was covered with more or fewer hours than it
-- consumed.
-- Why it matters: revenue beyond what was paid for, or hours that nobody answers for.
-- What to do: look at the customer's lessons in int_lesson_use and int_lesson_lot.
with

consumption as (
    select * from {{ in_scope('fct_lesson_consumption') }} as consumption
),

overdrawn as (
    select lots.lot_id as id
    from consumption
    inner join {{ ref('fct_lot') }} as lots on lots.lot_id = consumption.lot_id
    where consumption.coverage = 'package'
    group by lots.lot_id, lots.total_units
    having sum(consumption.hours) > lots.total_units
),

covered as (
    select
        attendance_id,
        sum(hours) as hours
    from consumption
    group by attendance_id
),

uncovered as (
    select used.attendance_id as id
    from {{ ref('int_lesson_use') }} as used
    left join covered on covered.attendance_id = used.attendance_id
    where coalesce(covered.hours, 0) <> used.hours
)

select id from overdrawn
union all
select id from uncovered
