-- One row per closed day of a campus, or of all where no campus is named.
-- Compared with what it was (depends_on: {{ ref('changed_closed_week') }}) before it is made anew.
with

closed_days as (
    select * from {{ ref('stg_closed_days') }}
)

select
    campus_id,
    closed_on
from closed_days
-- A day may be closed for several reasons.
group by campus_id, closed_on
