-- Question: How well are instalments paid, and how much is overdue, by campus?
-- Returns: one row per campus and a last row for all: instalments that fell due in the last twelve months, how many were
--   paid by their day, later, or not yet, the median delay of those paid late, and the money still open.
-- Caveat: instalments of orders that were given up are cancelled and left out; so are those not due yet.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
)

select
    case when grouping(instalments.campus_id) = 1 then 'all' else instalments.campus_id end as campus_id,
    count(*) as due_instalments,
    count(*) filter (where instalments.paid_on <= instalments.due_on) as paid_in_time,
    count(*) filter (where instalments.paid_on > instalments.due_on) as paid_late,
    count(*) filter (where instalments.instalment_status = 'overdue') as overdue,
    percentile_disc(0.5) within group (order by instalments.overdue_days)
        filter (where instalments.paid_on > instalments.due_on) as median_days_late,
    coalesce(sum(instalments.open_amount) filter (where instalments.instalment_status = 'overdue'), 0)
        as overdue_amount,
    round(
        cast(count(*) filter (where instalments.paid_on <= instalments.due_on) as numeric) / nullif(count(*), 0), 3
    ) as paid_in_time_rate
from marts.fct_instalment as instalments
cross join as_of
where
    instalments.currency = 'CNY'
    and instalments.instalment_status <> 'cancelled'
    and instalments.due_on < as_of.day_on
    and instalments.due_on >= as_of.day_on - 365
group by grouping sets ((instalments.campus_id), ())
order by grouping(instalments.campus_id), instalments.campus_id;
