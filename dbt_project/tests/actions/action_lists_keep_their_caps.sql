-- What: an owner has more actions on the list than owner_daily_cap, or somebody is on it who was contacted
-- contact_cap_touches times in contact_cap_days (triggers that are exempt left out).
-- Why it matters: a list too long is not worked on, and a family called too often stops answering.
-- What to do: see action_limits for the campus, and the reasons contact_cap and over_owner_cap in int_action_judged.
with

actions as (
    select
        listed.*,
        limits.owner_daily_cap,
        limits.contact_cap_touches,
        limits.contact_cap_days
    from {{ ref('mart_next_action') }} as listed
    {{ action_limits_of('listed.campus_id') }}
),

contacts as (
    select
        actions.action_id,
        count(*) as contacts
    from actions
    inner join {{ ref('fct_touchpoint') }} as touches
        on
            {{ subject_of('touches') }} = {{ subject_of('actions') }}
            and touches.direction = 'out'
            and touches.occurred_on > {{ add_days(as_of(), '-actions.contact_cap_days') }}
    group by actions.action_id
),

exempt as (
    select trigger_code
    from {{ ref('action_rules') }}
    where is_exempt_from_contact_cap
    -- A campus may have a rule of its own.
    group by trigger_code
)

select
    owner_id as owner_or_action,
    count(*) as counted
from actions
group by owner_id
having count(*) > max(owner_daily_cap)
union all
select
    actions.action_id as owner_or_action,
    contacts.contacts as counted
from actions
inner join contacts on contacts.action_id = actions.action_id
left join exempt on exempt.trigger_code = actions.trigger_code
where
    exempt.trigger_code is null
    and contacts.contacts >= actions.contact_cap_touches
