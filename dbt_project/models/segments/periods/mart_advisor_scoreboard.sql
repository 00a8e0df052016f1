-- One row per month of the enquiry and advisor in charge.
with

journeys as (
    select * from {{ ref('int_lead_journey') }}
    where advisor_id is not null
),

paid as (
    select
        journeys.person_id,
        sum(payments.amount) as paid_amount
    from journeys
    inner join {{ ref('fct_payment') }} as payments
        on
            payments.customer_id = journeys.customer_id
            and payments.status = 'succeeded'
            and payments.currency = {{ reporting_currency() }}
            and payments.paid_on >= journeys.lead_on
            and payments.paid_on <= {{ add_days('journeys.lead_on', 90) }}
    where journeys.purchased_on is not null
    group by journeys.person_id
),

counted as (
    select
        {{ start_of('month', 'journeys.lead_on') }} as month_on,
        journeys.advisor_id,
        count(*) as new_leads,
        count(journeys.contacted_at) as contacted,
        percentile_cont(0.5) within group (
            order by {{ hours_between('journeys.lead_at', 'journeys.contacted_at') }}
        ) as median_hours,
        count(case when journeys.trial_booked_on <= {{ add_days('journeys.lead_on', 30) }} then 1 end) as booked,
        count(case when journeys.trial_attended_on <= {{ add_days('journeys.lead_on', 90) }} then 1 end) as attended,
        count(case when journeys.purchased_on <= {{ add_days('journeys.lead_on', 90) }} then 1 end) as converted,
        sum(coalesce(paid.paid_amount, 0)) as paid_amount
    from journeys
    left join paid on paid.person_id = journeys.person_id
    group by {{ start_of('month', 'journeys.lead_on') }}, journeys.advisor_id
)

select
    counted.month_on,
    counted.advisor_id,
    advisors.campus_id,
    {{ is_month_over('counted.month_on', 90) }} as is_mature,
    {{ is_month_over('counted.month_on', 30) }} as is_trial_booking_mature,
    cast(counted.new_leads as integer) as new_leads,
    cast(counted.contacted as integer) as contacted_leads,
    cast(counted.median_hours as numeric(12, 2)) as lead_response_hours,
    cast(counted.booked as integer) as trial_booked_leads,
    {{ rate('counted.booked', 'counted.new_leads', is_month_over('counted.month_on', 30)) }} as trial_booking_rate,
    cast(counted.attended as integer) as trial_attended_leads,
    cast(counted.converted as integer) as converted_leads,
    {{ rate('counted.converted', 'counted.new_leads', is_month_over('counted.month_on', 90)) }} as lead_conversion_rate,
    cast(counted.paid_amount as numeric(18, 2)) as paid_90d_amount
from counted
left join {{ ref('dim_advisor') }} as advisors on advisors.advisor_id = counted.advisor_id
