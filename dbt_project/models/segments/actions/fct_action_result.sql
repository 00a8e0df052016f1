-- One row per action that was on a published list before the day of the build: what was done, and what followed.
with

log as (
    select
        log.*,
        -- A day may have been published twice, and an action listed by both.
        row_number() over (partition by log.action_id order by log.list_on, log.build_id) as listing_no
    from {{ ref('action_log') }} as log
    inner join {{ source('meta', 'build') }} as builds
        on
            builds.build_id = log.build_id
            and builds.status = 'published'
    where log.list_on <= {{ as_of() }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

leads as (
    select * from {{ ref('fct_lead') }}
),

actions as (
    select
        log.*,
        coalesce(customers.campus_id, leads.campus_id, log.campus_id) as home_campus_id,
        {{ subject_of('log') }} as subject_id,
        {{ add_days('log.list_on', 'limits.result_days') }} as matures_on
    from log
    {{ action_limits_of('log.campus_id') }}
    left join customers on customers.customer_id = log.customer_id
    left join leads on leads.lead_id = log.lead_id
    where
        log.listing_no = 1
        -- Whoever was erased or merged with another leaves no row behind.
        and (log.customer_id is null or customers.customer_id is not null)
        and (log.lead_id is null or leads.lead_id is not null)
),

contacts as (
    select
        actions.action_id,
        touches.touchpoint_id,
        touches.occurred_on,
        touches.outcome,
        {{ is_answered('touches') }} as is_answered,
        row_number() over (
            partition by actions.action_id order by touches.occurred_at, touches.touchpoint_id
        ) as contact_no
    from actions
    inner join {{ ref('fct_touchpoint') }} as touches
        on
            {{ subject_of('touches') }} = actions.subject_id
            and touches.direction = 'out'
            and touches.handled_by = 'advisor'
            and touches.occurred_on >= actions.list_on
            and touches.occurred_on <= actions.matures_on
),

interventions as (
    select
        actions.action_id,
        interventions.intervention_id,
        interventions.opened_on,
        row_number() over (
            partition by actions.action_id order by interventions.opened_at, interventions.intervention_id
        ) as intervention_no
    from actions
    inner join {{ ref('fct_intervention') }} as interventions
        on
            interventions.customer_id = actions.customer_id
            and interventions.opened_on >= actions.list_on
            and interventions.opened_on <= actions.matures_on
),

purchases as (
    select
        actions.action_id,
        min(orders.purchased_on) as purchased_on
    from actions
    inner join {{ ref('fct_order') }} as orders
        on
            orders.customer_id = actions.customer_id
            and orders.purchased_on >= actions.list_on
            and orders.purchased_on <= actions.matures_on
    group by actions.action_id
),

standing as (
    select
        actions.action_id,
        spans.phase_code
    from actions
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = actions.customer_id
            and spans.valid_from <= actions.matures_on
            and (spans.valid_to is null or spans.valid_to > actions.matures_on)
    where actions.matures_on <= {{ as_of() }}
)

select
    actions.action_id,
    actions.customer_id,
    actions.lead_id,
    actions.home_campus_id as campus_id,
    actions.owner_kind,
    actions.owner_id,
    actions.trigger_code,
    actions.trigger_on,
    actions.offer_code,
    actions.list_on as first_listed_on,
    actions.due_on,
    contacts.touchpoint_id,
    contacts.occurred_on as contacted_on,
    contacts.outcome as contact_outcome,
    contacts.is_answered,
    interventions.intervention_id,
    interventions.opened_on as intervened_on,
    least(contacts.occurred_on, interventions.opened_on) as done_on,
    coalesce(least(contacts.occurred_on, interventions.opened_on) <= actions.due_on, false) as is_done_in_time,
    signals.closed_on as signal_closed_on,
    purchases.purchased_on,
    actions.matures_on,
    actions.matures_on <= {{ as_of() }} as is_mature,
    standing.phase_code as phase_code_then
from actions
left join contacts
    on
        contacts.action_id = actions.action_id
        and contacts.contact_no = 1
left join interventions
    on
        interventions.action_id = actions.action_id
        and interventions.intervention_no = 1
left join {{ ref('fct_risk_signal') }} as signals
    on
        signals.risk_signal_id = actions.cause_id
        and signals.closed_on <= actions.matures_on
left join purchases on purchases.action_id = actions.action_id
left join standing on standing.action_id = actions.action_id
