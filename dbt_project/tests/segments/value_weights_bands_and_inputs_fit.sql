-- What: the weights of a dimension of value do not add up to 10, or an indicator has no lowest band or no column.
-- Why it matters: scores no longer run from 0 to 100, or an indicator counts nowhere.
-- What to do: mend the seeds value_indicators and value_bands; a new indicator needs a column in int_value_input, and
--   its name in the macro value_indicators.
with

indicators as (
    select * from {{ ref('value_indicators') }}
),

lowest_bands as (
    select indicator_code from {{ ref('value_bands') }}
    where min_value is null
),

computed as (
    {% for indicator in value_indicators().split(',') %}
        select '{{ indicator }}' as indicator_code
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    dimension as found,
    'weights add up to ' || cast(sum(weight) as {{ dbt.type_string() }}) as problem
from indicators
group by dimension
having sum(weight) <> 10
union all
select
    coalesce(indicators.indicator_code, computed.indicator_code) as found,
    'no row, no lowest band or no column' as problem
from indicators
full join computed on computed.indicator_code = indicators.indicator_code
left join lowest_bands on lowest_bands.indicator_code = indicators.indicator_code
where
    indicators.indicator_code is null
    or computed.indicator_code is null
    or lowest_bands.indicator_code is null
