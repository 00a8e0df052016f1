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
    inner join {{ ref('stg_leads') }} as leads on leads.lead_id = changed.lead_id
    where leads.created_on > {{ as_of() }}
    union all
    -- Until then the status is unknown, see fct_lead.
    select
        changed.lead_id,
        {{ day_of('leads.updated_at') }} as due_on
    from changed
    inner join {{ ref('stg_leads') }} as leads on leads.lead_id = changed.lead_id
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
)

select
    lead_id,
    min(due_on) as due_on
from days_ahead
group by lead_id
