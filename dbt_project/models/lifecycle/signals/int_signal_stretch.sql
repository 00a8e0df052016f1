-- One row per customer, signal and unbroken stretch of days on which it is open, [opened_on, closed_on), inside a run.
-- Days after the day of the build are those that time alone would bring.
with

openings as (
    select * from {{ ref('int_signal_interval') }}
),

closings as (
    select * from {{ ref('int_signal_interval') }}
),

beginnings as (
    select * from {{ ref('int_signal_interval') }}
),

kinds as (
    select * from {{ ref('risk_signal') }}
),

pauses as (
    select
        pauses.customer_id,
        kinds.signal_code,
        pauses.paused_from,
        pauses.paused_to
    from {{ ref('int_pause') }} as pauses
    cross join {{ ref('risk_signal') }} as kinds
    where kinds.is_closed_by_pause
),

edges as (
    select
        customer_id,
        signal_code,
        opened_on as day_on,
        1 as opened,
        0 as paused
    from openings
    union all
    select
        customer_id,
        signal_code,
        closed_on as day_on,
        -1 as opened,
        0 as paused
    from closings
    union all
    select
        customer_id,
        signal_code,
        paused_from as day_on,
        0 as opened,
        1 as paused
    from pauses
    union all
    select
        customer_id,
        signal_code,
        {{ add_days('paused_to', 1) }} as day_on,
        0 as opened,
        -1 as paused
    from pauses
),

net_edges as (
    select
        customer_id,
        signal_code,
        day_on,
        sum(opened) as opened,
        sum(paused) as paused
    from edges
    group by customer_id, signal_code, day_on
),

states as (
    select
        customer_id,
        signal_code,
        day_on,
        sum(opened) over (partition by customer_id, signal_code order by day_on) > 0
        and sum(paused) over (partition by customer_id, signal_code order by day_on) = 0 as is_open
    from net_edges
),

changes as (
    select
        customer_id,
        signal_code,
        day_on,
        is_open,
        lag(is_open) over (partition by customer_id, signal_code order by day_on) as was_open
    from states
),

stretches as (
    select
        customer_id,
        signal_code,
        is_open,
        day_on as opened_on,
        lead(day_on) over (partition by customer_id, signal_code order by day_on) as closed_on
    from changes
    where is_open <> coalesce(was_open, false)
),

-- What opened a stretch is the latest of what was open on its first day.
behind as (
    select
        stretches.customer_id,
        beginnings.run_no,
        stretches.signal_code,
        stretches.opened_on,
        stretches.closed_on,
        beginnings.evidence,
        beginnings.rule_version,
        row_number() over (
            partition by stretches.customer_id, stretches.signal_code, stretches.opened_on
            order by beginnings.told_on desc, cast(beginnings.evidence as {{ dbt.type_string() }})
        ) as evidence_no
    from stretches
    inner join beginnings
        on
            beginnings.customer_id = stretches.customer_id
            and beginnings.signal_code = stretches.signal_code
            and stretches.opened_on >= beginnings.opened_on
            and stretches.opened_on < beginnings.closed_on
    where stretches.is_open
)

select
    behind.customer_id,
    behind.run_no,
    behind.signal_code,
    kinds.signal_class,
    kinds.priority,
    kinds.inferred_churn_reason,
    behind.opened_on,
    behind.closed_on,
    behind.evidence,
    behind.rule_version
from behind
inner join kinds on kinds.signal_code = behind.signal_code
where behind.evidence_no = 1
