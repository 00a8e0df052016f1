-- One row per customer and unbroken stretch of days with the same stage and base stage, [valid_from, valid_to).
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select * from {{ ref('int_first_fact') }}
),

base_stages as (
    select * from {{ ref('int_base_stage') }}
    where valid_from <= {{ as_of() }}
),

span_stages as (
    select * from {{ ref('int_base_stage') }}
),

danger as (
    select * from {{ ref('int_danger') }}
    where danger_from <= {{ as_of() }}
),

kinds as (
    select
        customer_id,
        min(returning_on) as returning_on
    from {{ ref('int_run_milestone') }}
    group by customer_id
),

stages as (
    select * from {{ ref('lifecycle_stage') }}
),

edges as (
    select
        customer_id,
        valid_from as day_on,
        stage_no,
        0 as danger
    from base_stages
    union all
    select
        customer_id,
        danger_from as day_on,
        null as stage_no,
        1 as danger
    from danger
    union all
    select
        customer_id,
        danger_to as day_on,
        null as stage_no,
        -1 as danger
    from danger
    where danger_to <= {{ as_of() }}
),

net_edges as (
    select
        customer_id,
        day_on,
        max(stage_no) as stage_no,
        sum(danger) as danger
    from edges
    group by customer_id, day_on
),

-- Every edge changes the stage or the base stage: base stages follow one another, and stretches of danger lie apart.
pieces as (
    select
        customer_id,
        day_on as valid_from,
        lead(day_on) over (partition by customer_id order by day_on) as valid_to,
        row_number() over (partition by customer_id order by day_on) as span_no,
        max(stage_no) over (partition by customer_id order by day_on) as stage_no,
        sum(danger) over (partition by customer_id order by day_on) > 0 as is_danger
    from net_edges
),

spans as (
    select
        pieces.customer_id,
        pieces.span_no,
        case when pieces.is_danger then 'danger' else span_stages.base_stage end as stage_code,
        span_stages.base_stage,
        span_stages.run_no,
        span_stages.rule_version,
        pieces.valid_from,
        pieces.valid_to
    from pieces
    inner join span_stages
        on
            span_stages.customer_id = pieces.customer_id
            and span_stages.stage_no = pieces.stage_no
)

select
    spans.customer_id,
    customers.campus_id,
    cast(spans.span_no as integer) as span_no,
    spans.stage_code,
    spans.base_stage,
    stages.phase_code,
    case
        when spans.run_no = 0 then 'potential'
        when spans.valid_from >= kinds.returning_on then 'returning'
        else 'new'
    end as customer_kind,
    -- Growth by a completed course may come before the customer counts as returning.
    case
        when
            kinds.returning_on > spans.valid_from
            and kinds.returning_on < coalesce(spans.valid_to, {{ add_days(as_of(), 1) }})
            then kinds.returning_on
    end as became_returning_on,
    spans.run_no,
    spans.valid_from,
    spans.valid_to,
    spans.valid_to is null as is_current,
    spans.rule_version
from spans
inner join customers on customers.customer_id = spans.customer_id
inner join stages on stages.stage_code = spans.stage_code
left join kinds on kinds.customer_id = spans.customer_id
