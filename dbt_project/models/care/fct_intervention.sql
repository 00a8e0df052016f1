-- One row per action taken to keep a customer in danger.
with

interventions as (
    select * from {{ ref('stg_interventions') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

taken as (
    select
        interventions.intervention_id,
        scope.customer_id,
        scope.campus_id,
        interventions.signal_code,
        interventions.owner_id,
        interventions.action,
        interventions.opened_on,
        interventions.opened_at,
        {{ once('interventions.closed_on', 'interventions.result') }} as result,
        {{ once('interventions.closed_on', 'interventions.closed_on') }} as closed_on,
        {{ once('interventions.closed_on', 'interventions.closed_at') }} as closed_at,
        rules.signal_before_days,
        {{ once('interventions.closed_on', add_days('interventions.closed_on', 'rules.still_there_days')) }}
            as matures_on
    from scope
    inner join interventions on interventions.learner_id = scope.learner_id
    {{ signup_rules_of('scope.campus_id') }}
    where interventions.opened_on <= {{ as_of() }}
),

-- The stretch of the signal on which it acts: the last one open on its day or closed a little before.
acts_on as (
    select
        taken.intervention_id,
        signals.risk_signal_id,
        signals.opened_on as signal_opened_on,
        signals.closed_on is null or signals.closed_on > taken.opened_on as is_signal_open,
        row_number() over (partition by taken.intervention_id order by signals.opened_on desc) as stretch_no
    from taken
    inner join {{ ref('fct_risk_signal') }} as signals
        on
            signals.customer_id = taken.customer_id
            and signals.signal_code = taken.signal_code
            and signals.opened_on <= taken.opened_on
            and coalesce(signals.closed_on, {{ far_day() }})
            >= {{ add_days('taken.opened_on', '-taken.signal_before_days') }}
),

looked_back_on as (
    select
        taken.intervention_id,
        spans.base_stage in ('onboarding', 'growth', 'mature') as is_customer
    from taken
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = taken.customer_id
            and spans.valid_from <= taken.matures_on
            and (spans.valid_to is null or spans.valid_to > taken.matures_on)
    where taken.matures_on <= {{ as_of() }}
)

select
    taken.intervention_id,
    taken.customer_id,
    taken.campus_id,
    taken.signal_code,
    acts_on.risk_signal_id,
    acts_on.signal_opened_on,
    -- The day on which a stretch closes is no longer one of it.
    coalesce(acts_on.is_signal_open, false) as is_signal_open,
    {{ days_between('acts_on.signal_opened_on', 'taken.opened_on') }} as days_after_signal,
    taken.owner_id,
    taken.action,
    coalesce(taken.result, 'open') as result,
    taken.opened_on,
    taken.opened_at,
    taken.closed_on,
    taken.closed_at,
    taken.matures_on,
    coalesce(taken.matures_on <= {{ as_of() }}, false) as is_mature,
    case when taken.matures_on <= {{ as_of() }} then coalesce(looked_back_on.is_customer, false) end
        as is_still_customer
from taken
left join acts_on
    on
        acts_on.intervention_id = taken.intervention_id
        and acts_on.stretch_no = 1
left join looked_back_on on looked_back_on.intervention_id = taken.intervention_id
