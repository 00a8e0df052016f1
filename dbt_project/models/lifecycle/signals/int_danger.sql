-- One row per customer and unbroken stretch of days in danger, [danger_from, danger_to): any risk signal is open. With
-- the signal that opened it and the one that closed last, those of highest priority.
-- Days after the day of the build are those that time alone would bring.
with

signals as (
    select * from {{ ref('int_signal_stretch') }}
),

reached as (
    select
        customer_id,
        run_no,
        {{ risk_signal_id('signals') }} as risk_signal_id,
        priority,
        opened_on,
        closed_on,
        rule_version,
        max(closed_on) over (
            partition by customer_id, run_no
            order by opened_on, priority
            rows between unbounded preceding and 1 preceding
        ) as reached_to
    from signals
),

stretches as (
    select
        reached.*,
        sum(case when opened_on <= reached_to then 0 else 1 end) over (
            partition by customer_id, run_no
            order by opened_on, priority
            rows between unbounded preceding and current row
        ) as stretch_no
    from reached
),

places as (
    select
        stretches.*,
        row_number() over (
            partition by customer_id, run_no, stretch_no
            order by opened_on, priority
        ) as opening_place,
        row_number() over (
            partition by customer_id, run_no, stretch_no
            order by closed_on desc, priority
        ) as closing_place
    from stretches
)

select
    customer_id,
    run_no,
    min(opened_on) as danger_from,
    max(closed_on) as danger_to,
    max(case when opening_place = 1 then risk_signal_id end) as opening_signal_id,
    max(case when closing_place = 1 then risk_signal_id end) as closing_signal_id,
    rule_version
from places
group by customer_id, run_no, stretch_no, rule_version
