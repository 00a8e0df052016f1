-- What: the seed risk_signal holds a signal that the build does not compute, or the other way round.
-- Why it matters: a signal that is listed and never opens tells everybody that all is well.
-- What to do: start builds with `lifecourse build`, which hands the seed's signals to dbt; by hand, pass them as
--   --vars '{risk_signals: [...]}'.
with

computed as (
    {% for code in risk_signal_codes() %}
        {{ 'union all' if not loop.first }}
        select '{{ code }}' as signal_code
    {% endfor %}
),

listed as (
    select * from {{ ref('risk_signal') }}
)

select coalesce(computed.signal_code, listed.signal_code) as signal_code
from computed
full join listed on listed.signal_code = computed.signal_code
where
    computed.signal_code is null
    or listed.signal_code is null
