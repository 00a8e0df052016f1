-- What: a risk signal of the seed risk_signal has no words in action_trigger or no rule in action_rules.
-- Why it matters: its openings are suppressed as no_rule, and nobody is asked to do anything.
-- What to do: add a row signal_<code> to action_trigger and, without a campus, to action_rules.
{{ config(tags=['whole']) }}
select signals.signal_code
from {{ ref('risk_signal') }} as signals
left join {{ ref('action_trigger') }} as triggers on triggers.trigger_code = 'signal_' || signals.signal_code
left join {{ ref('action_rules') }} as rules
    on
        rules.trigger_code = 'signal_' || signals.signal_code
        and rules.campus_id is null
where
    triggers.trigger_code is null
    or rules.trigger_code is null
