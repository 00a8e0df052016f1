-- What: a transition that the lifecycle does not know: to prospect, back from growth to onboarding or from mature to
--   growth, from churned to churned, or with a reason that does not belong to it.
-- Why it matters: every flow between stages is wrong, and the state machine of the documentation is not what runs.
-- What to do: look at int_base_stage of the customer: two of its branches hold on one day, or a run opens before the
--   previous one closed (int_active_run).
with

transitions as (
    select * from {{ in_scope('fct_lifecycle_transition') }} as scoped
),

allowed as (
    select * from {{ ref('lifecycle_transition_allowed') }}
)

select
    transitions.customer_id,
    transitions.transition_on,
    transitions.from_code,
    transitions.to_code,
    transitions.reason_code
from transitions
left join allowed
    on
        allowed.layer = transitions.layer
        and coalesce(allowed.from_code, '') = coalesce(transitions.from_code, '')
        and allowed.to_code = transitions.to_code
        and allowed.reason_code = transitions.reason_code
where allowed.layer is null
