-- One row per campus.
with

campuses as (
    select * from {{ ref('stg_campuses') }}
)

select
    campus_id,
    name as campus_name,
    city,
    district,
    opened_on,
    {{ once('closed_on', 'closed_on') }} as closed_on
from campuses
