-- One row per activity that took place or to which somebody has come forward by the day of the build.
{{ config(materialized='table') }}
with

activities as (
    select * from {{ ref('stg_activities') }}
),

registrations as (
    select * from {{ ref('fct_activity_attendance') }}
),

purchases as (
    select
        customer_id,
        min(purchased_on) as purchased_on
    from {{ ref('fct_order') }}
    group by customer_id
),

counted as (
    select
        registrations.activity_id,
        count(*) as registered_count,
        count(*) filter (where registrations.is_attended) as attended_count,
        count(*) filter (
            where
            registrations.is_attended
            and (purchases.purchased_on is null or purchases.purchased_on > activities.starts_on)
        ) as attended_lead_count
    from registrations
    inner join activities on activities.activity_id = registrations.activity_id
    left join purchases on purchases.customer_id = registrations.customer_id
    group by registrations.activity_id
)

select
    activities.activity_id,
    activities.campus_id,
    activities.kind,
    activities.title,
    activities.starts_on,
    activities.starts_at,
    activities.capacity,
    coalesce(counted.registered_count, 0) as registered_count,
    coalesce(counted.attended_count, 0) as attended_count,
    coalesce(counted.attended_lead_count, 0) as attended_lead_count
from activities
left join counted on counted.activity_id = activities.activity_id
where
    activities.starts_on <= {{ as_of() }}
    or counted.registered_count > 0
