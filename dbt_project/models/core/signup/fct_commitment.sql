-- One row per promise made to a family.
with

commitments as (
    select * from {{ ref('stg_commitments') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
)

select
    commitments.commitment_id,
    scope.customer_id,
    scope.campus_id,
    commitments.owner_id,
    commitments.kind,
    -- On the day it is due it may still be kept in time.
    case
        when commitments.kept_on <= {{ as_of() }} and commitments.kept_on <= commitments.due_on then 'kept'
        when commitments.kept_on <= {{ as_of() }} then 'kept_late'
        when commitments.due_on < {{ as_of() }} then 'broken'
        else 'open'
    end as status,
    commitments.due_on,
    commitments.made_on,
    commitments.made_at,
    {{ once('commitments.kept_on', 'commitments.kept_on') }} as kept_on,
    {{ once('commitments.kept_on', 'commitments.kept_at') }} as kept_at
from scope
inner join commitments on commitments.learner_id = scope.learner_id
where commitments.made_on <= {{ as_of() }}
