-- Question: Do customers leave more often after a change of teacher?
-- Returns: two rows, for lessons that were and were not the first of a new teacher in the months 15 to 3 before the
--   day of the build: customers and months, how many of these customers left (their run ended) within 90 days, and
--   the share.
-- Caveat: a customer is counted once a month, with the last lesson of the month, unless a change fell into it. That
--   it comes after does not mean that it comes from it: changes between terms fall together with renewals.
with

months as (
    select
        cast(date_trunc('month', as_of) as date) - interval '15 months' as first_on,
        cast(date_trunc('month', as_of) as date) - interval '3 months' as end_on
    from marts.publication
    where is_current
),

taught as (
    select
        seats.customer_id,
        cast(date_trunc('month', seats.lesson_on) as date) as month_on,
        max(seats.lesson_on) as last_lesson_on,
        min(changes.changed_on) as changed_on
    from months
    inner join marts.fct_attendance as seats
        on seats.lesson_on >= months.first_on and seats.lesson_on < months.end_on
    inner join marts.dim_customer as customers on customers.customer_id = seats.customer_id
    left join marts.fct_teacher_change as changes on changes.teacher_change_id = seats.attendance_id
    where customers.is_reportable
    group by seats.customer_id, date_trunc('month', seats.lesson_on)
),

judged as (
    select
        taught.changed_on is not null as has_new_teacher,
        exists (
            select 1
            from marts.fct_lifecycle_transition as ends
            where
                ends.customer_id = taught.customer_id
                and ends.layer = 'base'
                and ends.to_code in ('terminated', 'dormant')
                and ends.transition_on > coalesce(taught.changed_on, taught.last_lesson_on)
                and ends.transition_on <= coalesce(taught.changed_on, taught.last_lesson_on) + 90
        ) as has_left
    from taught
)

select
    case when has_new_teacher then 'new teacher' else 'same teacher' end as lesson,
    count(*) as customer_months,
    count(*) filter (where has_left) as left_within_90_days,
    round(count(*) filter (where has_left)::numeric / count(*), 3) as share
from judged
group by has_new_teacher
order by has_new_teacher desc;
