-- What: a risk signal opened on the day of the build, and stands neither on the list nor among what was suppressed.
-- Why it matters: danger that nobody is told of is what the lists are there against.
-- What to do: a new signal needs a row in action_trigger and action_rules (without one it is suppressed as no_rule, not
-- lost). Otherwise look at the window of int_action_candidate: live_days below 1 would pass over everything.
select
    signals.risk_signal_id,
    signals.signal_code
from {{ ref('fct_risk_signal') }} as signals
left join {{ ref('mart_next_action') }} as listed
    on
        listed.customer_id = signals.customer_id
        and listed.cause_id = signals.risk_signal_id
left join {{ ref('mart_action_suppressed') }} as suppressed
    on
        suppressed.customer_id = signals.customer_id
        and suppressed.cause_id = signals.risk_signal_id
where
    signals.opened_on = {{ as_of() }}
    and signals.closed_on is null
    and listed.action_id is null
    and suppressed.action_id is null
