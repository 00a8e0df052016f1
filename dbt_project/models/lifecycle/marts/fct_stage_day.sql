-- One row per day, campus, stage and base stage with a customer in it or one who left it that day.
with

spans as (
    select
        coalesce(campus_id, '') as campus_id,
        stage_code,
        base_stage,
        valid_from,
        valid_to
    from {{ ref('fct_lifecycle_span') }}
),

stages as (
    select
        campus_id,
        stage_code,
        base_stage,
        min(valid_from) as first_on
    from spans
    group by campus_id, stage_code, base_stage
),

days as (
    {{ days('(select min(valid_from) from ' ~ ref('fct_lifecycle_span') ~ ')', as_of()) }}
),

-- Added up rather than joined: a day need not have an entry or an exit.
moves as (
    select
        campus_id,
        stage_code,
        base_stage,
        valid_from as day_on,
        1 as entered,
        0 as gone
    from spans
    union all
    select
        campus_id,
        stage_code,
        base_stage,
        valid_to as day_on,
        0 as entered,
        1 as gone
    from spans
    where valid_to <= {{ as_of() }}
    union all
    select
        stages.campus_id,
        stages.stage_code,
        stages.base_stage,
        days.day_on,
        0 as entered,
        0 as gone
    from stages
    inner join days on days.day_on >= stages.first_on
),

moved as (
    select
        day_on,
        campus_id,
        stage_code,
        base_stage,
        sum(entered) as entered,
        sum(gone) as gone
    from moves
    group by day_on, campus_id, stage_code, base_stage
),

counted as (
    select
        *,
        sum(entered - gone) over (
            partition by campus_id, stage_code, base_stage
            order by day_on
        ) as customers
    from moved
)

select
    day_on,
    campus_id,
    stage_code,
    base_stage,
    cast(customers as integer) as customers,
    cast(entered as integer) as entered,
    cast(gone as integer) as "left"
from counted
where
    customers > 0
    or gone > 0
