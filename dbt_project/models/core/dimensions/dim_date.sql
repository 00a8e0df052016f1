-- One row per day, from the first of 2010 to the last day of the second year after the day of the build.
with

days as (
    {{ days("cast('2010-01-01' as date)", add_days(start_of('year', add_days(as_of(), 1096)), -1)) }}
),

closed as (
    select * from {{ ref('int_lifecycle_closed_day') }}
    where campus_id is null
)

select
    days.day_on,
    cast(extract(year from days.day_on) as integer) as year_no,
    cast(extract(quarter from days.day_on) as integer) as quarter_no,
    cast(extract(month from days.day_on) as integer) as month_no,
    cast(extract(week from days.day_on) as integer) as iso_week_no,
    {{ weekday_of('days.day_on') }} as weekday_no,
    {{ start_of('week', 'days.day_on') }} as week_on,
    {{ start_of('month', 'days.day_on') }} as month_on,
    {{ start_of('quarter', 'days.day_on') }} as quarter_on,
    {{ weekday_of('days.day_on') }} >= 6 as is_weekend,
    closed.closed_on is not null as is_closed
from days
left join closed on closed.closed_on = days.day_on
