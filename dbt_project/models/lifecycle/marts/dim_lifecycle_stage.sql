-- One row per lifecycle stage.
select
    stage_code,
    phase_code,
    customer_kind,
    ordinal,
    layer,
    name_en,
    name_zh,
    phase_name_en,
    phase_name_zh
from {{ ref('lifecycle_stage') }}
