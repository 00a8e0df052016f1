-- Question: How many customers stand in each stage on a day, by campus?
-- Returns: one row per campus, and a last row for all; the stages add up to `customers`.
-- Caveat: write any day in place of the day of the build. Customers in danger stand under danger only; by base stage
--   they are found with base_stage. fct_stage_day answers faster, but counts test accounts as well.
with

asked as (
    select as_of as day_on
    from marts.publication
    where is_current
)

select
    case when grouping(stages.campus_id) = 1 then 'all' else coalesce(stages.campus_id, 'none') end as campus_id,
    count(*) filter (where stages.stage_code = 'prospect') as prospect,
    count(*) filter (where stages.stage_code = 'onboarding') as onboarding,
    count(*) filter (where stages.stage_code = 'growth') as growth,
    count(*) filter (where stages.stage_code = 'mature') as mature,
    count(*) filter (where stages.stage_code = 'danger') as danger,
    count(*) filter (where stages.stage_code = 'terminated') as terminated,
    count(*) filter (where stages.stage_code = 'dormant') as dormant,
    count(*) as customers
from asked
cross join lateral marts.stage_on(asked.day_on) as stages
inner join marts.dim_customer as customers on customers.customer_id = stages.customer_id
where customers.is_reportable
group by grouping sets ((stages.campus_id), ())
order by grouping(stages.campus_id), stages.campus_id;
