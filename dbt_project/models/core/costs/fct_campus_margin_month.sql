-- One row per campus, month and currency: revenue, what it cost to earn it, and what is left.
with

revenue as (
    select
        campus_id,
        {{ start_of('month', 'day_on') }} as month_on,
        currency,
        sum(recognised) as recognised_amount,
        sum(expired) as expired_amount
    from {{ ref('fct_deferred_revenue_day') }}
    group by campus_id, {{ start_of('month', 'day_on') }}, currency
),

-- Costs that no campus bears stand under none, less what hours of teaching share out.
costs as (
    select
        coalesce(campus_id, 'none') as campus_id,
        month_on,
        currency,
        sum(case when campus_id is not null and cost_class = 'direct' then cost_amount else 0 end) as direct_amount,
        sum(case when campus_id is not null and cost_class = 'overhead' then cost_amount else 0 end) as overhead_amount,
        sum(case when campus_id is not null and cost_class = 'acquisition' then cost_amount else 0 end)
            as acquisition_amount,
        sum(case when campus_id is null then cost_amount else 0 end) as common_amount
    from {{ ref('fct_operating_cost') }}
    group by coalesce(campus_id, 'none'), month_on, currency
),

shared_out as (
    select
        campus_id,
        month_on,
        currency,
        sum(common_amount) as common_amount
    from {{ ref('fct_cost_to_serve_month') }}
    group by campus_id, month_on, currency
),

moved as (
    select
        campus_id,
        month_on,
        currency,
        recognised_amount,
        expired_amount,
        0 as direct_amount,
        0 as overhead_amount,
        0 as acquisition_amount,
        0 as common_amount,
        false as is_booked
    from revenue
    union all
    select
        campus_id,
        month_on,
        currency,
        0 as recognised_amount,
        0 as expired_amount,
        direct_amount,
        overhead_amount,
        acquisition_amount,
        common_amount,
        true as is_booked
    from costs
    union all
    select
        campus_id,
        month_on,
        currency,
        0 as recognised_amount,
        0 as expired_amount,
        0 as direct_amount,
        0 as overhead_amount,
        0 as acquisition_amount,
        common_amount,
        true as is_booked
    from shared_out
    where common_amount <> 0
    union all
    select
        'none' as campus_id,
        month_on,
        currency,
        0 as recognised_amount,
        0 as expired_amount,
        0 as direct_amount,
        0 as overhead_amount,
        0 as acquisition_amount,
        -common_amount as common_amount,
        false as is_booked
    from shared_out
    where common_amount <> 0
),

summed as (
    select
        campus_id,
        month_on,
        currency,
        sum(recognised_amount) as recognised_amount,
        sum(expired_amount) as expired_amount,
        sum(direct_amount) as direct_amount,
        sum(overhead_amount) as overhead_amount,
        sum(acquisition_amount) as acquisition_amount,
        sum(common_amount) as common_amount,
        max(case when is_booked then 1 else 0 end) = 1 as has_costs
    from moved
    group by campus_id, month_on, currency
)

select
    campus_id,
    month_on,
    currency,
    cast(recognised_amount as numeric(18, 2)) as recognised_amount,
    cast(expired_amount as numeric(18, 2)) as expired_amount,
    cast(recognised_amount + expired_amount as numeric(18, 2)) as revenue_amount,
    cast(direct_amount as numeric(18, 2)) as direct_amount,
    cast(overhead_amount as numeric(18, 2)) as overhead_amount,
    cast(acquisition_amount as numeric(18, 2)) as acquisition_amount,
    cast(common_amount as numeric(18, 2)) as common_amount,
    cast(direct_amount + overhead_amount + acquisition_amount + common_amount as numeric(18, 2)) as cost_amount,
    has_costs,
    -- Costs are booked after the month: until then there is no margin, rather than one that is all revenue.
    cast(case when has_costs then recognised_amount + expired_amount - direct_amount end as numeric(18, 2))
        as margin_amount,
    cast(
        case
            when has_costs
                then
                    recognised_amount + expired_amount
                    - direct_amount - overhead_amount - acquisition_amount - common_amount
        end as numeric(18, 2)
    ) as operating_margin_amount
from summed
