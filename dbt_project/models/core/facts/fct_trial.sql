-- One row per trial lesson booked.
with

trials as (
    select * from {{ ref('stg_trials') }}
),

leads as (
    select * from {{ ref('int_lead') }}
),

changed as (
    select * from {{ ref('changed_lead') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
)

select
    trials.trial_id,
    registry.customer_id,
    trials.lead_id,
    coalesce(trials.campus_id, leads.campus_id) as campus_id,
    trials.course_id,
    trials.teacher_id,
    -- What came of it is known from its day on, a cancellation from the day of the cancellation.
    case
        when trials.cancelled_on <= {{ as_of() }} then 'cancelled'
        when trials.status in ('attended', 'no_show') and trials.scheduled_on <= {{ as_of() }} then trials.status
        else 'booked'
    end as status,
    trials.booked_on,
    trials.booked_at,
    trials.scheduled_on,
    trials.scheduled_at,
    {{ once('trials.cancelled_on', 'trials.cancelled_at') }} as cancelled_at
from changed
inner join leads on leads.lead_id = changed.lead_id
inner join trials on trials.lead_id = leads.lead_id
left join registry on registry.learner_id = leads.learner_id
where trials.booked_on <= {{ as_of() }}
