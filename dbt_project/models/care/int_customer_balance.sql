-- One row per customer with a lot: what is left to use, since when it is little, and when the last right ends.
with

customers as (
    select
        changed.customer_id,
        dim_customer.campus_id,
        limits.low_balance_hours
    from {{ ref('changed_customer') }} as changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = changed.customer_id
    {{ action_limits_of('dim_customer.campus_id') }}
),

lots as (
    select
        customers.customer_id,
        customers.low_balance_hours,
        lots.lot_id,
        lots.kind,
        lots.ends_on,
        lots.total_units,
        lots.kind = 'package' and lots.expired_on is null as is_usable
    from customers
    inner join {{ ref('fct_lot') }} as lots on lots.customer_id = customers.customer_id
    where
        lots.kind in ('package', 'period')
        and lots.granted_on is not null
        -- Given up with a refund: no right any more.
        and lots.settled_on is null
),

rights as (
    select
        customer_id,
        max(ends_on) as last_ends_on,
        count(case when is_usable then 1 end) as packages,
        count(case when is_usable and ends_on is null then 1 end) as endless_packages,
        sum(case when is_usable then total_units end) as hours_granted
    from lots
    group by customer_id
),

usable_lots as (
    select
        *,
        sum(total_units) over (partition by customer_id) as hours_granted
    from lots
    where is_usable
),

uses as (
    select
        lots.customer_id,
        lots.low_balance_hours,
        lots.hours_granted,
        uses.lesson_on,
        sum(uses.hours) as hours
    from usable_lots as lots
    inner join {{ ref('fct_lesson_consumption') }} as uses
        on
            uses.customer_id = lots.customer_id
            and uses.lot_id = lots.lot_id
    group by lots.customer_id, lots.low_balance_hours, lots.hours_granted, uses.lesson_on
),

left_after as (
    select
        *,
        hours_granted - sum(hours) over (partition by customer_id order by lesson_on) as hours_left
    from uses
),

used as (
    select
        customer_id,
        sum(hours) as hours_used,
        max(lesson_on) as last_used_on,
        min(case when hours_left <= low_balance_hours then lesson_on end) as low_since_on
    from left_after
    group by customer_id
)

select
    rights.customer_id,
    customers.campus_id,
    cast(
        case when rights.packages > 0 then greatest(rights.hours_granted - coalesce(used.hours_used, 0), 0) end
        as numeric(12, 2)
    ) as hours_left,
    used.low_since_on,
    used.last_used_on,
    rights.last_ends_on,
    rights.endless_packages > 0 and rights.hours_granted > coalesce(used.hours_used, 0) as is_open_ended
from rights
inner join customers on customers.customer_id = rights.customer_id
left join used on used.customer_id = rights.customer_id
