-- Question: Who entered danger last week, and why?
-- Returns: one row per customer who entered danger in the last whole week (Monday to Sunday), with the signal that
--   opened it, the evidence behind that signal, and where the customer stands now.
-- Caveat: the signal is the one of highest priority on the first day; others may have opened later (question 12).
--   Somebody who was in danger already and got a second signal did not enter it.
with

last_week as (
    select
        cast(date_trunc('week', as_of + 1) as date) - 7 as first_on,
        cast(date_trunc('week', as_of + 1) as date) - 1 as last_on
    from marts.publication
    where is_current
)

select
    transitions.transition_on,
    transitions.customer_id,
    transitions.campus_id,
    signals.signal_code,
    signals.signal_class,
    cast(signals.evidence as text) as evidence,
    customers.current_stage
from last_week
inner join marts.fct_lifecycle_transition as transitions
    on transitions.transition_on between last_week.first_on and last_week.last_on
-- The cause of entering danger is a signal.
inner join marts.fct_risk_signal as signals on signals.risk_signal_id = transitions.cause_id
inner join marts.dim_customer as customers on customers.customer_id = transitions.customer_id
where
    transitions.layer = 'danger'
    and transitions.reason_code = 'signal_opened'
    and customers.is_reportable
order by signals.priority, transitions.transition_on, transitions.customer_id;
