-- What: in some month, those new, retained and resurrected are not those with a day of a run in it.
-- Why it matters: growth accounting does not add up: active(t) = new + retained + resurrected.
-- What to do: compare fct_customer_month with the spans of phase existing for a customer of that month and campus;
--   someone was not recomputed when the month began (lifecycle_due), or a run has no span.
with

customer_months as (
    select * from {{ in_scope('fct_customer_month') }} as scoped
),

runs as (
    select
        customer_id,
        campus_id,
        run_no,
        min(valid_from) as first_on,
        max(coalesce(valid_to, {{ add_days(as_of(), 1) }})) as left_on
    from {{ in_scope('fct_lifecycle_span') }} as scoped
    where phase_code = 'existing'
    group by customer_id, campus_id, run_no
),

days as (
    {{ days('(select min(valid_from) from ' ~ ref('fct_lifecycle_span') ~ ')', as_of()) }}
),

months as (
    select
        {{ start_of('month', 'day_on') }} as month_on,
        max(day_on) as last_on
    from days
    group by {{ start_of('month', 'day_on') }}
),

active as (
    select
        months.month_on,
        coalesce(runs.campus_id, '') as campus_id,
        -- A month may hold the end of one run and the beginning of the next.
        count(distinct runs.customer_id) as customers
    from runs
    inner join months
        on
            months.last_on >= runs.first_on
            and months.month_on < runs.left_on
    group by months.month_on, coalesce(runs.campus_id, '')
),

counted as (
    select
        month_on,
        coalesce(campus_id, '') as campus_id,
        count(*) as customers
    from customer_months
    where growth_state in ('new', 'retained', 'resurrected')
    group by month_on, coalesce(campus_id, '')
)

select
    coalesce(active.month_on, counted.month_on) as month_on,
    coalesce(active.campus_id, counted.campus_id) as campus_id,
    active.customers as active_customers,
    counted.customers as counted_customers
from active
full join counted
    on
        counted.month_on = active.month_on
        and counted.campus_id = active.campus_id
where active.customers is distinct from counted.customers
