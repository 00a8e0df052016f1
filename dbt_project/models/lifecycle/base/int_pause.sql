-- One row per customer and unbroken stretch of paused days, [paused_from, paused_to], up to what is known.
with

pauses as (
    select * from {{ ref('int_lifecycle_pause') }}
),

known as (
    select
        customer_id,
        pause_id,
        from_on,
        coalesce(to_on, {{ far_day() }}) as to_on
    from pauses
    where
        from_on <= {{ as_of() }}
        and from_on <= coalesce(to_on, {{ far_day() }})
),

reached as (
    select
        known.*,
        max(to_on) over (
            partition by customer_id
            order by from_on, to_on, pause_id
            rows between unbounded preceding and 1 preceding
        ) as paused_before_to
    from known
),

stretches as (
    select
        reached.*,
        sum(case when from_on <= {{ add_days('paused_before_to', 1) }} then 0 else 1 end) over (
            partition by customer_id
            order by from_on, to_on, pause_id
            rows between unbounded preceding and current row
        ) as stretch_no
    from reached
)

select
    customer_id,
    min(from_on) as paused_from,
    max(to_on) as paused_to
from stretches
group by customer_id, stretch_no
