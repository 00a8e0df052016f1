-- One row per indicator of value.
select
    indicator_code,
    dimension,
    ordinal,
    weight,
    is_lower_better,
    input_unit,
    name_en,
    name_zh
from {{ ref('value_indicators') }}
