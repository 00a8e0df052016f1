-- One row per campus that taught, month and currency of cost: what is shared out among those whom it taught.
with

costs as (
    select * from {{ ref('fct_operating_cost') }}
    where driver = 'hours'
),

taught as (
    select
        campus_id,
        month_on
    from {{ ref('int_taught_hours_month') }}
    group by campus_id, month_on
),

-- What a campus booked is shared out among those it taught, what no campus booked among all.
booked as (
    select
        taught.campus_id,
        taught.month_on,
        costs.currency,
        case when costs.cost_class = 'direct' then costs.cost_amount else 0 end as direct_amount,
        case when costs.cost_class = 'overhead' then costs.cost_amount else 0 end as overhead_amount,
        0 as common_amount
    from taught
    inner join costs
        on
            costs.campus_id = taught.campus_id
            and costs.month_on = taught.month_on
    union all
    select
        taught.campus_id,
        taught.month_on,
        costs.currency,
        0 as direct_amount,
        0 as overhead_amount,
        costs.cost_amount as common_amount
    from taught
    inner join costs on costs.month_on = taught.month_on
    where costs.campus_id is null
)

select
    campus_id,
    month_on,
    currency,
    cast(sum(direct_amount) as numeric(18, 2)) as direct_amount,
    cast(sum(overhead_amount) as numeric(18, 2)) as overhead_amount,
    cast(sum(common_amount) as numeric(18, 2)) as common_amount
from booked
group by campus_id, month_on, currency
