-- One row per enquiry that has not led to a purchase: how good it is, and which advisor should have it, by which rule.
with

leads as (
    select
        fct_lead.*,
        coalesce(fct_lead.customer_id, 'lead:' || fct_lead.lead_id) as person_id
    from {{ ref('fct_lead') }} as fct_lead
    where
        is_reportable
        and purchased_on is null
        and coalesce(status, 'new') <> 'invalid'
),

likeness as (
    select * from {{ ref('mart_core_likeness') }}
),

rules as (
    select
        max(case when rule = 'lead_in_hand_days' then value end) as in_hand_days,
        max(case when rule = 'advisor_open_leads' then value end) as open_leads,
        max(case when rule = 'advisor_prior_leads' then value end) as prior_leads
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

advisors as (
    select * from {{ ref('dim_advisor') }}
    where
        coalesce(hired_on, {{ as_of() }}) <= {{ as_of() }}
        and coalesce(left_on, {{ as_of() }}) >= {{ as_of() }}
),

-- Enquiries of a year, as far as their 90 days have passed. Few of them say little: they are drawn to the whole.
outcomes as (
    select
        advisor_id,
        count(*) as new_leads,
        count(case when purchased_on <= {{ add_days('lead_on', 90) }} then 1 end) as converted_leads
    from {{ ref('int_lead_journey') }}
    where
        advisor_id is not null
        and {{ add_days('lead_on', 90) }} <= {{ as_of() }}
        and {{ add_days('lead_on', 455) }} > {{ as_of() }}
    group by advisor_id
),

overall as (
    select cast(sum(converted_leads) as numeric) / nullif(sum(new_leads), 0) as conversion_rate
    from outcomes
),

conversions as (
    select
        advisors.advisor_id,
        advisors.campus_id,
        advisors.specialty,
        (coalesce(outcomes.converted_leads, 0) + rules.prior_leads * coalesce(overall.conversion_rate, 0))
        / (coalesce(outcomes.new_leads, 0) + rules.prior_leads) as conversion_rate
    from advisors
    cross join rules
    cross join overall
    left join outcomes on outcomes.advisor_id = advisors.advisor_id
),

spoken as (
    select
        coalesce(customer_id, 'lead:' || lead_id) as person_id,
        max(occurred_on) as last_touch_on
    from {{ ref('fct_touchpoint') }}
    where
        direction = 'out'
        and handled_by = 'advisor'
    group by coalesce(customer_id, 'lead:' || lead_id)
),

open_leads as (
    select
        leads.lead_id,
        leads.person_id,
        leads.customer_id,
        leads.campus_id,
        leads.channel_code,
        leads.subject_interest,
        leads.tier,
        leads.intent,
        leads.is_zombie,
        leads.created_on,
        leads.advisor_id,
        likeness.likeness,
        likeness.likeness_band,
        coalesce(leads.status in ('lost', 'invalid'), false) as is_given_up,
        advisors.advisor_id is not null
        and coalesce(spoken.last_touch_on >= {{ add_days(as_of(), '-rules.in_hand_days') }}, false) as is_in_hand
    from leads
    cross join rules
    left join likeness on likeness.person_id = leads.person_id
    left join advisors on advisors.advisor_id = leads.advisor_id
    left join spoken on spoken.person_id = leads.person_id
),

loads as (
    select
        advisor_id,
        count(*) as in_hand
    from open_leads
    where
        is_in_hand
        and not is_given_up
    group by advisor_id
),

places as (
    select
        conversions.advisor_id,
        conversions.campus_id,
        conversions.specialty,
        conversions.conversion_rate,
        coalesce(loads.in_hand, 0) as in_hand,
        cast(greatest(rules.open_leads - coalesce(loads.in_hand, 0), 0) as integer) as free_places
    from conversions
    cross join rules
    left join loads on loads.advisor_id = conversions.advisor_id
),

-- Those to be dealt out: nobody has them in hand, and somebody may still come of them.
waiting as (
    select
        open_leads.*,
        row_number() over (
            partition by campus_id, subject_interest order by tier, likeness desc nulls last, created_on desc, lead_id
        ) as subject_no
    from open_leads
    where
        not is_in_hand
        and not is_given_up
        and not is_zombie
),

-- First the specialists, the best of them first, each up to the places left.
specialists as (
    select
        places.*,
        sum(free_places) over (
            partition by campus_id, specialty order by conversion_rate desc, in_hand, advisor_id
        ) as places_to
    from places
    where specialty is not null
),

by_specialty as (
    select
        waiting.lead_id,
        specialists.advisor_id
    from waiting
    inner join specialists
        on
            specialists.campus_id = waiting.campus_id
            and specialists.specialty = waiting.subject_interest
            and waiting.subject_no > specialists.places_to - specialists.free_places
            and waiting.subject_no <= specialists.places_to
),

taken as (
    select
        advisor_id,
        count(*) as given
    from by_specialty
    group by advisor_id
),

-- Then whoever of the campus sells best and has places left.
rest as (
    select
        waiting.lead_id,
        waiting.campus_id,
        row_number() over (
            partition by waiting.campus_id
            order by waiting.tier, waiting.likeness desc nulls last, waiting.created_on desc, waiting.lead_id
        ) as campus_no
    from waiting
    left join by_specialty on by_specialty.lead_id = waiting.lead_id
    where by_specialty.lead_id is null
),

others as (
    select
        places.*,
        free_places - coalesce(taken.given, 0) as places_left,
        sum(free_places - coalesce(taken.given, 0)) over (
            partition by campus_id order by conversion_rate desc, in_hand, places.advisor_id
        ) as places_to,
        row_number() over (
            partition by campus_id order by in_hand + coalesce(taken.given, 0), places.advisor_id
        ) as load_no,
        count(*) over (partition by campus_id) as advisors,
        sum(free_places - coalesce(taken.given, 0)) over (partition by campus_id) as places_of_campus
    from places
    left join taken on taken.advisor_id = places.advisor_id
),

by_conversion as (
    select
        rest.lead_id,
        others.advisor_id
    from rest
    inner join others
        on
            others.campus_id = rest.campus_id
            and rest.campus_no > others.places_to - others.places_left
            and rest.campus_no <= others.places_to
),

-- Where all are full, one after the other, the least burdened first.
by_load as (
    select
        rest.lead_id,
        others.advisor_id
    from rest
    inner join others
        on
            others.campus_id = rest.campus_id
            and rest.campus_no > others.places_of_campus
            and mod(cast(rest.campus_no - others.places_of_campus - 1 as integer), cast(others.advisors as integer)) + 1
            = others.load_no
),

decided as (
    select
        open_leads.*,
        case
            when open_leads.is_given_up then null
            when open_leads.is_in_hand then open_leads.advisor_id
            else coalesce(by_specialty.advisor_id, by_conversion.advisor_id, by_load.advisor_id)
        end as suggested_advisor_id,
        case
            when open_leads.is_given_up then 'given_up'
            when open_leads.is_in_hand then 'in_hand'
            when open_leads.is_zombie then 'zombie'
            when by_specialty.advisor_id is not null then 'specialty'
            when by_conversion.advisor_id is not null then 'conversion'
            when by_load.advisor_id is not null then 'load'
            else 'no_advisor'
        end as rule_code
    from open_leads
    left join by_specialty on by_specialty.lead_id = open_leads.lead_id
    left join by_conversion on by_conversion.lead_id = open_leads.lead_id
    left join by_load on by_load.lead_id = open_leads.lead_id
)

select
    decided.lead_id,
    decided.customer_id,
    decided.campus_id,
    decided.channel_code,
    decided.subject_interest,
    decided.created_on,
    decided.tier,
    decided.intent,
    decided.is_zombie,
    decided.likeness,
    coalesce(decided.likeness_band, 'unknown') as likeness_band,
    decided.advisor_id,
    decided.suggested_advisor_id,
    decided.rule_code,
    cast(places.conversion_rate as numeric(9, 6)) as advisor_conversion_rate,
    cast(places.in_hand as integer) as advisor_leads_in_hand,
    places.specialty as advisor_specialty
from decided
left join places on places.advisor_id = decided.suggested_advisor_id
