-- One row per day, campus and channel with an enquiry or with cash in or back.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

journeys as (
    select * from {{ ref('int_lead_journey') }}
),

moved as (
    select
        lead_on as day_on,
        campus_id,
        channel_code,
        1 as new_leads,
        cast(0 as numeric) as billings,
        cast(0 as numeric) as refunds
    from journeys
    union all
    select
        movements.day_on,
        movements.campus_id,
        coalesce(journeys.channel_code, customers.acquisition_channel, 'other') as channel_code,
        0 as new_leads,
        case when movements.measure = 'billings' then movements.amount else 0 end as billings,
        case when movements.measure = 'refunds' then movements.amount else 0 end as refunds
    from {{ ref('fct_revenue_movement') }} as movements
    inner join customers on customers.customer_id = movements.customer_id
    left join journeys on journeys.customer_id = movements.customer_id
    where
        movements.measure in ('billings', 'refunds')
        and movements.day_on <= {{ as_of() }}
        and movements.currency = {{ reporting_currency() }}
)

select
    day_on,
    coalesce(campus_id, '') as campus_id,
    channel_code,
    cast(sum(new_leads) as integer) as new_leads,
    cast(sum(billings) as numeric(18, 2)) as billings_amount,
    cast(sum(refunds) as numeric(18, 2)) as refunds_amount,
    cast(sum(billings) - sum(refunds) as numeric(18, 2)) as net_billings_amount
from moved
group by day_on, coalesce(campus_id, ''), channel_code
