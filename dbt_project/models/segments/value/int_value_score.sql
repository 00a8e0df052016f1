-- One row per customer and valuation: points of every indicator, the two scores, and the value segment.
with

valuations as (
    select * from {{ ref('int_valuation') }}
),

inputs as (
    select * from {{ ref('int_value_input') }}
),

indicators as (
    select * from {{ ref('value_indicators') }}
),

bands as (
    select
        indicator_code,
        -- The lowest band has no lower end.
        coalesce(min_value, -1000000000000) as min_value,
        lead(min_value) over (partition by indicator_code order by min_value nulls first) as next_value,
        points
    from {{ ref('value_bands') }}
),

measured as (
    {% for indicator in value_indicators().split(',') %}
        {{ 'union all' if not loop.first }}
        select
            valuations.customer_id,
            valuations.valuation,
            '{{ indicator }}' as indicator_code,
            valuations.by_percentile = 1 as is_by_percentile,
            inputs.{{ indicator }} as input
        from valuations
        inner join inputs
            on
                inputs.customer_id = valuations.customer_id
                and inputs.valued_on = valuations.valued_on
        where inputs.{{ indicator }} is not null
    {% endfor %}
),

-- Places among all customers of the institution, so that the campuses that score so are compared with the others.
places as (
    select
        measured.customer_id,
        measured.valuation,
        measured.indicator_code,
        cast(
            10 * percent_rank() over (
                partition by measured.valuation, measured.indicator_code
                order by case when indicators.is_lower_better then -measured.input else measured.input end
            ) as numeric(6, 2)
        ) as points
    from measured
    inner join indicators on indicators.indicator_code = measured.indicator_code
    where exists (
            select 1 from valuations
            where valuations.by_percentile = 1
        )
),

scored as (
    select
        measured.customer_id,
        measured.valuation,
        measured.indicator_code,
        indicators.dimension,
        indicators.weight,
        case when measured.is_by_percentile then places.points else bands.points end as points
    from measured
    inner join indicators on indicators.indicator_code = measured.indicator_code
    inner join bands
        on
            bands.indicator_code = measured.indicator_code
            and bands.min_value <= measured.input
            and (bands.next_value is null or bands.next_value > measured.input)
    left join places
        on
            places.customer_id = measured.customer_id
            and places.valuation = measured.valuation
            and places.indicator_code = measured.indicator_code
),

totals as (
    select
        customer_id,
        valuation,
        {% for indicator in value_indicators().split(',') %}
            max(case when indicator_code = '{{ indicator }}' then points end) as {{ indicator }}_points,
        {% endfor %}
        sum(case when dimension = 'current' then weight end) as current_weight_known,
        sum(case when dimension = 'current' then weight * points end) as current_points,
        sum(case when dimension = 'potential' then weight end) as potential_weight_known,
        sum(case when dimension = 'potential' then weight * points end) as potential_points
    from scored
    group by customer_id, valuation
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
            cast(totals.{{ indicator }}_points as numeric(6, 2)) as {{ indicator }}_points,
        {% endfor %}
    {% for dimension in ['current', 'potential'] %}
        cast(coalesce(totals.{{ dimension }}_weight_known, 0) as numeric(6, 2)) as {{ dimension }}_weight_known,
        -- What is not known is left out, unless that would make a score of next to nothing.
        cast(
            10 * totals.{{ dimension }}_points
            / greatest(totals.{{ dimension }}_weight_known, valuations.least_weight_known) as numeric(6, 2)
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
