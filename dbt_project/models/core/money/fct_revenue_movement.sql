-- One row per lot, day and kind of movement of money or revenue; periods earn by day in fct_period_revenue.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

lots as (
    select fct_lot.*
    from changed
    inner join {{ ref('fct_lot') }} as fct_lot on fct_lot.customer_id = changed.customer_id
),

lot_money as (
    select * from {{ ref('int_lot_money') }}
),

consumption as (
    select fct_lesson_consumption.*
    from changed
    inner join {{ ref('fct_lesson_consumption') }} as fct_lesson_consumption
        on fct_lesson_consumption.customer_id = changed.customer_id
    where fct_lesson_consumption.coverage = 'package'
),

-- The hours or days of the lot that had been used by the end of the day before.
used_before as (
    select
        lot_money.lot_id,
        lot_money.day_on,
        sum(consumption.hours) as hours
    from lot_money
    inner join consumption
        on
            consumption.lot_id = lot_money.lot_id
            and consumption.lesson_on < lot_money.day_on
    group by lot_money.lot_id, lot_money.day_on
),

clauses as (
    select
        nullif(campus_id, '') as campus_id,
        choice
    from {{ ref('money_rules') }}
    where rule = 'refund_clause'
),

changes as (
    select
        lot_money.*,
        lots.total_units,
        lots.list_units,
        lots.list_amount,
        coalesce(own_clause.choice, default_clause.choice) as refund_clause,
        case lots.kind
            when 'package' then coalesce(used_before.hours, 0)
            when 'period'
                then least(greatest({{ days_between('lots.starts_on', 'lot_money.day_on') }}, 0), lots.total_units)
            else 0
        end as used_units,
        coalesce(lot_money.settled_on < lot_money.day_on, false) as was_settled,
        coalesce(lot_money.settled_on <= lot_money.day_on, false) as is_settled,
        coalesce(lot_money.expired_on < lot_money.day_on, false) as was_expired,
        coalesce(lot_money.expired_on <= lot_money.day_on, false) as is_expired
    from lot_money
    inner join lots on lots.lot_id = lot_money.lot_id
    left join clauses as own_clause on own_clause.campus_id = lots.campus_id
    left join clauses as default_clause on default_clause.campus_id is null
    left join used_before
        on
            used_before.lot_id = lot_money.lot_id
            and used_before.day_on = lot_money.day_on
),

earned as (
    select
        changes.*,
        {{ earned_amount('value_before_amount', 'used_units', 'total_units') }} as earned_before_amount,
        {{ earned_amount('value_after_amount', 'used_units', 'total_units') }} as earned_after_amount
    from changes
),

-- On the day a line is given up under the clause list_price, the units used are reckoned at list price. What that adds
-- to what they had earned was clawed back from the customer, as far as it was kept indeed.
clawed_back as (
    select
        earned.*,
        case
            when refund_clause = 'list_price' and settled_on = day_on and list_units > 0
                then
                    greatest(
                        least(round(list_amount * used_units / list_units, 2), value_after_amount)
                        - earned_before_amount,
                        0
                    )
            else 0
        end as clawed_back_amount
    from earned
),

movements as (
    select
        lot_id,
        day_on,
        'billing' as kind,
        'billings' as measure,
        billed_amount as amount
    from lot_money
    union all
    select
        lot_id,
        day_on,
        'refund' as kind,
        'refunds' as measure,
        refunded_amount as amount
    from lot_money
    union all
    -- The price of hours used already follows the money; when the line is given up, what remains is kept.
    select
        lot_id,
        day_on,
        case when is_settled then 'settled' else 'adjusted' end as kind,
        'recognised' as measure,
        case when is_settled then value_after_amount else earned_after_amount end
        - case when was_settled then value_before_amount else earned_before_amount end
        - clawed_back_amount as amount
    from clawed_back
    union all
    select
        lot_id,
        day_on,
        'clawback' as kind,
        'recognised' as measure,
        clawed_back_amount as amount
    from clawed_back
    union all
    select
        lot_id,
        day_on,
        'expired' as kind,
        'expired' as measure,
        case when is_expired then value_after_amount - earned_after_amount else 0 end
        - case when was_expired then value_before_amount - earned_before_amount else 0 end as amount
    from earned
    union all
    select
        lot_id,
        lesson_on as day_on,
        'consumed' as kind,
        'recognised' as measure,
        sum(revenue_amount) as amount
    from consumption
    group by lot_id, lesson_on
)

select
    movements.lot_id || ':' || cast(movements.day_on as {{ dbt.type_string() }}) || ':' || movements.kind
        as movement_id,
    lots.customer_id,
    lots.campus_id,
    movements.lot_id,
    lots.product_line,
    lots.currency,
    movements.day_on,
    movements.kind,
    movements.measure,
    cast(movements.amount as numeric(18, 2)) as amount
from movements
inner join lots on lots.lot_id = movements.lot_id
where movements.amount <> 0
