-- What: the closing balance of the day of the build is not the value of unused entitlements, counted lot by lot from
-- payments, refunds and lessons, without the movements.
-- Why it matters: the institution owes its customers something else than its books say.
-- What to do: compare, for the lots of that campus and product line, value_amount less what their hours or days used
-- are worth with the sum of their movements; one lot will differ.
with

counted as (
    select
        campus_id,
        product_line,
        currency,
        closing
    from {{ ref('fct_deferred_revenue_day') }}
    where day_on = {{ as_of() }}
),

used as (
    select
        lot_id,
        sum(hours) as hours
    from {{ ref('fct_lesson_consumption') }}
    where coverage = 'package'
    group by lot_id
),

lots as (
    select
        lots.campus_id,
        lots.product_line,
        lots.currency,
        lots.value_amount,
        case
            when lots.settled_on is not null or lots.expired_on is not null or lots.value_amount <= 0 then 1
            when lots.kind = 'unassigned' or coalesce(lots.total_units, 0) = 0 then 0
            when lots.kind = 'period'
                then
                    lots.total_units
                    - greatest(least({{ days_between(as_of(), 'lots.ends_on') }}, lots.total_units), 0)
            else coalesce(used.hours, 0)
        end as used_units,
        case
            when
                lots.settled_on is not null
                or lots.expired_on is not null
                or lots.value_amount <= 0
                or lots.kind = 'unassigned'
                or coalesce(lots.total_units, 0) = 0
                then 1
            else lots.total_units
        end as units
    from {{ ref('fct_lot') }} as lots
    left join used on used.lot_id = lots.lot_id
),

unused as (
    select
        campus_id,
        product_line,
        currency,
        sum(value_amount - round(value_amount * used_units / units, 2)) as amount
    from lots
    group by campus_id, product_line, currency
)

select
    coalesce(counted.campus_id, unused.campus_id) as campus_id,
    coalesce(counted.product_line, unused.product_line) as product_line,
    coalesce(counted.currency, unused.currency) as currency,
    counted.closing,
    unused.amount
from counted
full join unused
    on
        unused.campus_id = counted.campus_id
        and unused.product_line = counted.product_line
        and unused.currency = counted.currency
where coalesce(counted.closing, 0) <> coalesce(unused.amount, 0)
