-- One row per lead of which something lies ahead of the day of the build: the first day on which it comes.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_lead') }}
),

trials as (
    select * from {{ ref('stg_trials') }}
),

touchpoints as (
    select * from {{ ref('stg_touchpoints') }}
),

days_ahead as (
    select
        changed.lead_id,
        leads.created_on as due_on
    from changed
    inner join {{ ref('int_lead') }} as leads on leads.lead_id = changed.lead_id
    where leads.created_on > {{ as_of() }}
    union all
    -- Until then the status is unknown, see fct_lead.
    select
        changed.lead_id,
        {{ day_of('leads.updated_at') }} as due_on
    from changed
    inner join {{ ref('int_lead') }} as leads on leads.lead_id = changed.lead_id
    where {{ day_of('leads.updated_at') }} > {{ as_of() }}
    {% for day in ['booked_on', 'scheduled_on', 'cancelled_on'] %}
        union all
        select
            changed.lead_id,
            trials.{{ day }} as due_on
        from changed
        inner join trials on trials.lead_id = changed.lead_id
        where trials.{{ day }} > {{ as_of() }}
    {% endfor %}
    union all
    select
        changed.lead_id,
        touchpoints.occurred_on as due_on
    from changed
    inner join touchpoints on touchpoints.lead_id = changed.lead_id
    where touchpoints.occurred_on > {{ as_of() }}
    {% for day in ['signed_on', 'cancelled_on'] %}
        union all
        select
            changed.lead_id,
            contracts.{{ day }} as due_on
        from changed
        inner join {{ ref('stg_contracts') }} as contracts on contracts.lead_id = changed.lead_id
        where contracts.{{ day }} > {{ as_of() }}
    {% endfor %}
    {% for day in ['attendance.registered_on', day_of('attendance.updated_at')] %}
        union all
        select
            changed.lead_id,
            {{ day }} as due_on
        from changed
        inner join {{ ref('stg_activity_attendance') }} as attendance on attendance.lead_id = changed.lead_id
        where {{ day }} > {{ as_of() }}
    {% endfor %}
    {% for day in ['tier_a_ends_on', 'tier_b_ends_on', 'zombie_from'] %}
        union all
        -- Nobody hears of the lead for so long that it stands otherwise.
        select
            lead_id,
            {{ day }} as due_on
        from {{ ref('int_lead_standing') }}
        where {{ day }} > {{ as_of() }}
    {% endfor %}
    union all
    select
        steps.lead_id,
        {{ add_days('steps.due_on', 1) }} as due_on
    from changed
    inner join {{ ref('fct_process_step') }} as steps on steps.lead_id = changed.lead_id
    where
        steps.left_on is null
        and {{ add_days('steps.due_on', 1) }} > {{ as_of() }}
)

select
    lead_id,
    min(due_on) as due_on
from days_ahead
group by lead_id
