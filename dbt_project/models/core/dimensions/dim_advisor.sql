-- One row per sales advisor.
with

advisors as (
    select * from {{ ref('stg_advisors') }}
)

select
    advisor_id,
    campus_id,
    team,
    specialty,
    hired_on,
    {{ once('left_on', 'left_on') }} as left_on
from advisors
