-- Question: How many missed lessons are made up, and how soon, by campus?
-- Returns: one row per campus, and a last row for all: lessons missed in the twelve weeks up to four weeks ago, by
--   leave and without, how many of them were made up since, and the median of the days that took.
-- Caveat: only what the teaching system links to the lesson it makes up for is counted. The last four weeks are left
--   out, since a lesson missed yesterday can still be made up.
with

window_of_days as (
    select
        as_of - 28 - 12 * 7 as first_on,
        as_of - 28 as last_on
    from marts.publication
    where is_current
)

select
    case when grouping(seats.campus_id) = 1 then 'all' else seats.campus_id end as campus_id,
    count(*) filter (where seats.outcome = 'leave') as on_leave,
    count(*) filter (where seats.outcome = 'absent') as absent,
    count(seats.made_up_on) as made_up,
    round(count(seats.made_up_on)::numeric / count(*), 3) as made_up_rate,
    percentile_disc(0.5) within group (order by seats.made_up_on - seats.lesson_on) as median_days
from window_of_days
inner join marts.fct_attendance as seats
    on seats.lesson_on > window_of_days.first_on and seats.lesson_on <= window_of_days.last_on
inner join marts.dim_customer as customers on customers.customer_id = seats.customer_id
where
    customers.is_reportable
    and seats.outcome in ('absent', 'leave')
group by grouping sets ((seats.campus_id), ())
order by grouping(seats.campus_id), seats.campus_id;
