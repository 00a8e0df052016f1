-- One row per day, campus, stage and base stage with a customer in it or one who left it that day.
with

entries as (
    select
        coalesce(campus_id, '') as campus_id,
        stage_code,
        base_stage,
        valid_from as day_on,
        count(*) as entered
    from {{ ref('fct_lifecycle_span') }}
    group by 1, 2, 3, 4
),

exits as (
    select
        coalesce(campus_id, '') as campus_id,
        stage_code,
        base_stage,
        valid_to as day_on,
        count(*) as gone
    from {{ ref('fct_lifecycle_span') }}
    where valid_to is not null
    group by 1, 2, 3, 4
),

stages as (
    select
        coalesce(campus_id, '') as campus_id,
        stage_code,
        base_stage,
        min(valid_from) as first_on
    from {{ ref('fct_lifecycle_span') }}
    group by 1, 2, 3
),

days as (
    {{ days('(select min(valid_from) from ' ~ ref('fct_lifecycle_span') ~ ')', as_of()) }}
),

counted as (
    select
        days.day_on,
        stages.campus_id,
        stages.stage_code,
        stages.base_stage,
        coalesce(entries.entered, 0) as entered,
        coalesce(exits.gone, 0) as gone,
        sum(coalesce(entries.entered, 0) - coalesce(exits.gone, 0)) over (
            partition by stages.campus_id, stages.stage_code, stages.base_stage
            order by days.day_on
        ) as customers
    from stages
    inner join days on days.day_on >= stages.first_on
    left join entries
        on
            entries.campus_id = stages.campus_id
            and entries.stage_code = stages.stage_code
            and entries.base_stage = stages.base_stage
            and entries.day_on = days.day_on
    left join exits
        on
            exits.campus_id = stages.campus_id
            and exits.stage_code = stages.stage_code
            and exits.base_stage = stages.base_stage
            and exits.day_on = days.day_on
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
