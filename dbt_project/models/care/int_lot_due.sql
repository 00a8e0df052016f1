-- One row per paid lot that runs out, by now or later: when it is due, and what renewed it.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

rules as (
    select
        cast(max(case when rule = 'renewal_days_before' then value end) as integer) as days_before,
        cast(max(case when rule = 'renewal_days_after' then value end) as integer) as days_after
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

lots as (
    select fct_lot.*
    from changed
    inner join {{ ref('fct_lot') }} as fct_lot on fct_lot.customer_id = changed.customer_id
    where
        fct_lot.kind in ('package', 'period')
        and fct_lot.granted_on is not null
        and fct_lot.billed_amount > 0
        and fct_lot.currency = {{ reporting_currency() }}
),

used as (
    select
        lessons.lot_id,
        lessons.lesson_on,
        sum(lessons.hours) over (
            partition by lessons.lot_id order by lessons.lesson_at, lessons.consumption_id
        ) as hours_so_far
    from changed
    inner join {{ ref('fct_lesson_consumption') }} as lessons on lessons.customer_id = changed.customer_id
    where lessons.coverage = 'package'
),

used_up as (
    select
        used.lot_id,
        min(used.lesson_on) as used_up_on
    from used
    inner join lots on lots.lot_id = used.lot_id
    where used.hours_so_far >= lots.total_units
    group by used.lot_id
),

ended as (
    select
        lots.*,
        -- The earlier of the two: a package may run out before it expires.
        least(lots.ends_on, used_up.used_up_on) as due_on
    from lots
    left join used_up on used_up.lot_id = lots.lot_id and lots.kind = 'package'
),

due as (
    select
        ended.lot_id,
        ended.customer_id,
        ended.product_line,
        ended.granted_on,
        ended.due_on,
        ended.value_amount,
        rules.days_before,
        rules.days_after
    from ended
    cross join rules
    where
        ended.due_on is not null
        -- What was given up with a refund before that is no renewal that failed to come, but a goodbye.
        and (ended.settled_on is null or ended.settled_on > ended.due_on)
),

renewals as (
    select
        due.lot_id,
        min(renewals.granted_on) as renewed_on,
        sum(renewals.value_amount) as renewed_amount
    from due
    inner join lots as renewals
        on
            renewals.customer_id = due.customer_id
            and renewals.product_line = due.product_line
            and renewals.value_amount > 0
            -- Later than the lot itself, so that two bought at once do not renew each other.
            and renewals.granted_on > due.granted_on
            and renewals.granted_on >= {{ add_days('due.due_on', '-due.days_before') }}
            and renewals.granted_on <= {{ add_days('due.due_on', 'due.days_after') }}
    group by due.lot_id
)

select
    due.lot_id,
    due.customer_id,
    due.product_line,
    due.due_on,
    cast(due.value_amount as numeric(18, 2)) as due_amount,
    renewals.renewed_on,
    cast(coalesce(renewals.renewed_amount, 0) as numeric(18, 2)) as renewed_amount,
    {{ add_days('due.due_on', 'due.days_after') }} as matures_on
from due
left join renewals on renewals.lot_id = due.lot_id
