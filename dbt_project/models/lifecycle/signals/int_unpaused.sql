-- One row per customer with a pause and stretch of unpaused days, [unpaused_from, unpaused_to], with the paused days
-- before it: to count unpaused days without listing them. The next stretch begins on next_unpaused_from.
with

pauses as (
    select * from {{ ref('int_pause') }}
),

stretches as (
    select
        customer_id,
        cast('1900-01-01' as date) as unpaused_from,
        {{ add_days('min(paused_from)', -1) }} as unpaused_to,
        0 as paused_days_before
    from pauses
    group by customer_id
    union all
    select
        customer_id,
        {{ add_days('paused_to', 1) }} as unpaused_from,
        coalesce(
            {{ add_days('lead(paused_from) over (partition by customer_id order by paused_from)', -1) }},
            {{ far_day() }}
        ) as unpaused_to,
        sum({{ days_between('paused_from', 'paused_to') }} + 1) over (
            partition by customer_id order by paused_from
        ) as paused_days_before
    from pauses
)

select
    customer_id,
    unpaused_from,
    unpaused_to,
    cast(paused_days_before as integer) as paused_days_before,
    coalesce(
        lead(unpaused_from) over (partition by customer_id order by unpaused_from),
        {{ add_days(far_day(), 1) }}
    ) as next_unpaused_from
from stretches
