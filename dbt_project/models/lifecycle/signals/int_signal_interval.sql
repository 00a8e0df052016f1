-- One row per run, signal and interval in which its model says that it is open, cut to the days of the run. Intervals
-- of one signal may overlap.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

signals as (
    {% for code in risk_signal_codes() %}
        {{ 'union all' if not loop.first }}
        select
            '{{ code }}' as signal_code,
            customer_id,
            run_no,
            opened_on,
            closed_on,
            evidence
        from {{ ref('risk_signal_' ~ code) }}
    {% endfor %}
)

select
    signals.customer_id,
    signals.run_no,
    signals.signal_code,
    signals.opened_on as told_on,
    greatest(signals.opened_on, runs.started_on) as opened_on,
    least(signals.closed_on, {{ add_days('runs.ended_on', 1) }}) as closed_on,
    signals.evidence,
    runs.rule_version
from signals
inner join runs
    on
        runs.customer_id = signals.customer_id
        and runs.run_no = signals.run_no
where
    greatest(signals.opened_on, runs.started_on)
    < least(signals.closed_on, {{ add_days('runs.ended_on', 1) }})
