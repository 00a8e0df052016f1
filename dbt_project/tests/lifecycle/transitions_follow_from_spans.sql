-- What: a base stage begins without a transition, or a transition leads to another base stage than the span.
-- Why it matters: flow and stock disagree: the stages of a day are not those of the day before plus the transitions.
-- What to do: both are made from int_base_stage; see which of the two facts was not rewritten for the customer.
with

spans as (
    select * from {{ in_scope('fct_lifecycle_span') }} as scoped
),

transitions as (
    select * from {{ in_scope('fct_lifecycle_transition') }} as scoped
    where layer = 'base'
),

in_order as (
    select
        customer_id,
        base_stage,
        run_no,
        valid_from,
        lag(base_stage) over (partition by customer_id order by span_no) as base_stage_before,
        lag(run_no) over (partition by customer_id order by span_no) as run_no_before
    from spans
),

beginnings as (
    select
        customer_id,
        base_stage,
        valid_from
    from in_order
    where
        base_stage is distinct from base_stage_before
        or (run_no is distinct from run_no_before and run_no_before is not null)
)

select
    coalesce(beginnings.customer_id, transitions.customer_id) as customer_id,
    beginnings.valid_from,
    transitions.transition_on
from beginnings
full join transitions
    on
        transitions.customer_id = beginnings.customer_id
        and transitions.transition_on = beginnings.valid_from
        and transitions.to_code = beginnings.base_stage
where
    beginnings.customer_id is null
    or transitions.customer_id is null
