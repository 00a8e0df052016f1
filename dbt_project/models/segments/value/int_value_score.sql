-- One row per customer and valuation: points of every indicator, the two scores, and the value segment.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

valuations as (
    select valuations.*
    from changed
    inner join {{ ref('int_valuation') }} as valuations on valuations.customer_id = changed.customer_id
),

inputs as (
    select inputs.*
    from changed
    inner join {{ ref('int_value_input') }} as inputs on inputs.customer_id = changed.customer_id
),

indicators as (
    select * from {{ ref('value_indicators') }}
),

-- All bands in one row: the lower ends of an indicator's bands, in their order, and the points that they give.
scales as (
    select
        indicator_code,
        -- The lowest band has no lower end.
        array_agg(coalesce(min_value, -1000000000000) order by min_value asc nulls first) as min_values,
        array_agg(points order by min_value asc nulls first) as points
    from {{ ref('value_bands') }}
    group by indicator_code
),

scale as (
    select
    {% for indicator in value_indicators().split(',') %}
            max(case when indicator_code = '{{ indicator }}' then min_values end) as {{ indicator }}_values,
            max(case when indicator_code = '{{ indicator }}' then points end)
                as {{ indicator }}_points{{ ',' if not loop.last }}
    {% endfor %}
    from scales
),

weights as (
    select
    {% for indicator in value_indicators().split(',') %}
            max(case when indicator_code = '{{ indicator }}' and dimension = 'current' then weight else 0 end)
                as {{ indicator }}_current,
            max(case when indicator_code = '{{ indicator }}' and dimension = 'potential' then weight else 0 end)
                as {{ indicator }}_potential{{ ',' if not loop.last }}
    {% endfor %}
    from indicators
),

measured as (
    select
        valuations.customer_id,
        valuations.valuation,
        valuations.by_percentile = 1 as is_by_percentile,
    {% for indicator in value_indicators().split(',') %}
        inputs.{{ indicator }}{{ ',' if not loop.last }}
    {% endfor %}
    from valuations
    inner join inputs
        on
            inputs.customer_id = valuations.customer_id
            and inputs.valued_on = valuations.valued_on
),

-- Places among all customers of the institution, so that the campuses that score so are compared with the others.
placed as (
    {% for indicator in value_indicators().split(',') %}
        {{ 'union all' if not loop.first }}
        select
            measured.customer_id,
            measured.valuation,
            '{{ indicator }}' as indicator_code,
            10 * percent_rank() over (
                partition by measured.valuation
                order by case when indicators.is_lower_better then -1 else 1 end * measured.{{ indicator }}
            ) as points
        from measured
        inner join indicators on indicators.indicator_code = '{{ indicator }}'
        where
            measured.{{ indicator }} is not null
            and exists (
                select 1 from valuations
                where valuations.by_percentile = 1
            )
    {% endfor %}
),

places as (
    select
        customer_id,
        valuation,
    {% for indicator in value_indicators().split(',') %}
        max(case when indicator_code = '{{ indicator }}' then points end)
            as {{ indicator }}_points{{ ',' if not loop.last }}
    {% endfor %}
    from placed
    group by customer_id, valuation
),

scored as (
    select
        measured.customer_id,
        measured.valuation,
    {% for indicator in value_indicators().split(',') %}
        cast(
            case
                when measured.is_by_percentile then places.{{ indicator }}_points
                else {{ points_of('measured.' ~ indicator, 'scale.' ~ indicator) }}
            end as numeric(6, 2)
        ) as {{ indicator }}_points{{ ',' if not loop.last }}
    {% endfor %}
    from measured
    cross join scale
    left join places
        on
            places.customer_id = measured.customer_id
            and places.valuation = measured.valuation
),

totals as (
    select
        scored.*,
    {% for dimension in ['current', 'potential'] %}
        {{ of_all_indicators('case when scored.{}_points is null then 0 else weights.{}_' ~ dimension ~ ' end') }}
            as {{ dimension }}_weight_known,
        {{ of_all_indicators('coalesce(scored.{}_points, 0) * weights.{}_' ~ dimension) }}
            as {{ dimension }}_points{{ ',' if not loop.last }}
    {% endfor %}
    from scored
    cross join weights
),

scores as (
    select
        valuations.customer_id,
        valuations.valuation,
        valuations.campus_id,
        valuations.phase_code,
        valuations.valued_on,
        valuations.high_score,
        {% for indicator in value_indicators().split(',') %}
            totals.{{ indicator }}_points,
        {% endfor %}
    {% for dimension in ['current', 'potential'] %}
        cast(coalesce(totals.{{ dimension }}_weight_known, 0) as numeric(6, 2)) as {{ dimension }}_weight_known,
        -- What is not known is left out, unless that would make a score of next to nothing.
        cast(
            case
                when totals.{{ dimension }}_weight_known > 0
                    then
                        10 * totals.{{ dimension }}_points
                        / greatest(totals.{{ dimension }}_weight_known, valuations.least_weight_known)
            end as numeric(6, 2)
        ) as {{ dimension }}_value_score{{ ',' if not loop.last }}
    {% endfor %}
    from valuations
    left join totals
        on
            totals.customer_id = valuations.customer_id
            and totals.valuation = valuations.valuation
)

select
    customer_id,
    valuation,
    campus_id,
    phase_code,
    valued_on,
    {% for indicator in value_indicators().split(',') %}
        {{ indicator }}_points,
    {% endfor %}
    current_weight_known,
    current_value_score,
    potential_weight_known,
    potential_value_score,
    -- Strictly above: a score of 70 is not high. No score is not high either.
    case when current_value_score > high_score then 'high' else 'low' end
    || '_'
    || case when potential_value_score > high_score then 'high' else 'low' end as value_segment
from scores
