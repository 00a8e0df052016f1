-- One row per operating cost as booked: campus, month and kind.
with

costs as (
    select * from {{ ref('stg_operating_costs') }}
),

rules as (
    select * from {{ ref('cost_rules') }}
)

select
    costs.operating_cost_id,
    costs.campus_id,
    costs.month_on,
    costs.kind,
    rules.cost_class,
    rules.driver,
    costs.amount as cost_amount,
    costs.currency
from costs
inner join rules on rules.kind = costs.kind
-- A month's costs are told once it is over: before, they would stand against part of its revenue.
where {{ add_days(month_after('costs.month_on'), -1) }} <= {{ as_of() }}
