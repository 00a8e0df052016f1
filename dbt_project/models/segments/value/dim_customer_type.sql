-- One row per customer type: 4 value segments x 3 phases.
select
    type_code,
    phase_code,
    value_segment,
    ordinal,
    is_current_value_high,
    is_potential_value_high,
    name_en,
    name_zh,
    strategy_en,
    strategy_zh
from {{ ref('segment_strategy') }}
