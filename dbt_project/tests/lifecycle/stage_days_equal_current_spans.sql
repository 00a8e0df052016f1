-- What: the customers counted per stage on the day of the build are not those whose span is open.
-- Why it matters: the first question of every dashboard has two answers.
-- What to do: fct_stage_day is recomputed whole from fct_lifecycle_span; run it again and see which span changed since.
with

counted as (
    select
        campus_id,
        stage_code,
        base_stage,
        customers
    from {{ ref('fct_stage_day') }}
    where
        day_on = {{ as_of() }}
        and customers > 0
),

current_spans as (
    select
        coalesce(campus_id, '') as campus_id,
        stage_code,
        base_stage,
        count(*) as customers
    from {{ ref('fct_lifecycle_span') }}
    where is_current
    group by 1, 2, 3
)

select
    coalesce(counted.stage_code, current_spans.stage_code) as stage_code,
    counted.customers as counted,
    current_spans.customers as in_spans
from counted
full join current_spans
    on
        current_spans.campus_id = counted.campus_id
        and current_spans.stage_code = counted.stage_code
        and current_spans.base_stage = counted.base_stage
where counted.customers is distinct from current_spans.customers
