-- One row per lot and day on which its money changed or it was settled or expired: its value before and after.
with

order_money as (
    select * from {{ ref('int_order_money') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
),

orders as (
    select * from {{ ref('fct_order') }}
),

order_lines as (
    select fct_order_line.*
    from changed
    inner join {{ ref('fct_order_line') }} as fct_order_line on fct_order_line.customer_id = changed.customer_id
),

refunds as (
    select fct_refund.*
    from changed
    inner join {{ ref('fct_refund') }} as fct_refund on fct_refund.customer_id = changed.customer_id
),

-- The money of an order belongs to its lines by their net amounts; where all are 0, by list price, else evenly.
weights as (
    select
        order_line_id,
        order_id,
        customer_id,
        currency,
        case
            when sum(net_amount) over (partition by order_id) > 0 then net_amount
            when sum(list_amount) over (partition by order_id) > 0 then list_amount
            else 1
        end as weight
    from order_lines
),

shares as (
    select
        order_line_id,
        order_id,
        customer_id,
        currency,
        sum(weight) over (partition by order_id order by order_line_id) - weight as weight_from,
        sum(weight) over (partition by order_id order by order_line_id) as weight_to,
        sum(weight) over (partition by order_id) as weight_of_order
    from weights
),

-- Running totals of what names no line: rounded per line on the total, so that the lines add up to the order on
-- every day, and a line of an order paid in full has its net amount.
totals as (
    select
        order_id,
        currency,
        day_on,
        sum(billed_amount) over (partition by order_id, currency order by day_on) as billed_so_far,
        sum(refunded_amount) over (partition by order_id, currency order by day_on) as refunded_so_far
    from order_money
    where order_line_id is null
),

line_totals as (
    select
        shares.order_line_id as lot_id,
        shares.customer_id,
        totals.day_on,
        round(totals.billed_so_far * shares.weight_to / shares.weight_of_order, 2)
        - round(totals.billed_so_far * shares.weight_from / shares.weight_of_order, 2) as billed_so_far,
        round(totals.refunded_so_far * shares.weight_to / shares.weight_of_order, 2)
        - round(totals.refunded_so_far * shares.weight_from / shares.weight_of_order, 2) as refunded_so_far
    from totals
    inner join shares
        on
            shares.order_id = totals.order_id
            and shares.currency = totals.currency
),

-- A refund of a whole line gives it up on the day it is paid; one that names no line gives up the whole order.
settlements as (
    select
        order_lines.order_line_id as lot_id,
        order_lines.customer_id,
        min(greatest(refunds.resolved_on, refunds.requested_on, orders.placed_on)) as settled_on
    from refunds
    inner join orders on orders.order_id = refunds.order_id
    inner join order_lines
        on
            order_lines.order_id = refunds.order_id
            and order_lines.order_line_id = coalesce(refunds.order_line_id, order_lines.order_line_id)
    where
        refunds.is_whole_line
        and refunds.resolution = 'paid'
    group by order_lines.order_line_id, order_lines.customer_id
),

ends as (
    select
        order_lines.order_line_id as lot_id,
        order_lines.customer_id,
        settlements.settled_on,
        case when order_lines.kind = 'package' then {{ add_days('order_lines.ends_on', 1) }} end as expires_on
    from order_lines
    left join settlements on settlements.lot_id = order_lines.order_line_id
),

changes as (
    select
        lot_id,
        customer_id,
        day_on,
        billed_so_far - lag(billed_so_far, 1, cast(0 as numeric)) over (
            partition by lot_id order by day_on
        ) as billed_amount,
        refunded_so_far - lag(refunded_so_far, 1, cast(0 as numeric)) over (
            partition by lot_id order by day_on
        ) as refunded_amount
    from line_totals
    union all
    select
        order_line_id as lot_id,
        customer_id,
        day_on,
        billed_amount,
        refunded_amount
    from order_money
    where order_line_id is not null
    union all
    -- Money of an order without a line, or in another currency than its order's, waits in a lot of its own.
    select
        'order:' || order_money.order_id || ':' || order_money.currency as lot_id,
        order_money.customer_id,
        order_money.day_on,
        order_money.billed_amount,
        order_money.refunded_amount
    from order_money
    left join order_lines
        on
            order_lines.order_id = order_money.order_id
            and order_lines.currency = order_money.currency
    where
        order_money.order_line_id is null
        and order_lines.order_line_id is null
    union all
    select
        lot_id,
        customer_id,
        settled_on as day_on,
        0 as billed_amount,
        0 as refunded_amount
    from ends
    where settled_on is not null
    union all
    select
        lot_id,
        customer_id,
        expires_on as day_on,
        0 as billed_amount,
        0 as refunded_amount
    from ends
    where expires_on <= {{ as_of() }}
),

by_day as (
    select
        lot_id,
        customer_id,
        day_on,
        sum(billed_amount) as billed_amount,
        sum(refunded_amount) as refunded_amount
    from changes
    group by lot_id, customer_id, day_on
),

valued as (
    select
        by_day.*,
        sum(billed_amount - refunded_amount) over (partition by lot_id order by day_on) as value_after_amount,
        lead(day_on) over (partition by lot_id order by day_on) as next_change_on
    from by_day
)

select
    valued.lot_id,
    valued.customer_id,
    valued.day_on,
    valued.next_change_on,
    cast(valued.billed_amount as numeric(18, 2)) as billed_amount,
    cast(valued.refunded_amount as numeric(18, 2)) as refunded_amount,
    cast(
        valued.value_after_amount - valued.billed_amount + valued.refunded_amount as numeric(18, 2)
    ) as value_before_amount,
    cast(valued.value_after_amount as numeric(18, 2)) as value_after_amount,
    -- Whichever came first took out the remainder.
    case when ends.settled_on < coalesce(ends.expires_on, {{ far_day() }}) then ends.settled_on end as settled_on,
    case
        when
            ends.expires_on <= {{ as_of() }}
            and ends.expires_on <= coalesce(ends.settled_on, {{ far_day() }})
            then ends.expires_on
    end as expired_on
from valued
left join ends on ends.lot_id = valued.lot_id
