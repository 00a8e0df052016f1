-- One row per month and channel with cost, an enquiry or a new payer.
with

journeys as (
    select * from {{ ref('int_lead_journey') }}
),

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

costs as (
    select
        {{ start_of('month', 'cost_on') }} as month_on,
        channel_code,
        sum(cost_amount) as cost_amount
    from {{ ref('stg_channel_costs') }}
    where
        cost_on <= {{ as_of() }}
        and coalesce(currency, {{ reporting_currency() }}) = {{ reporting_currency() }}
    group by {{ start_of('month', 'cost_on') }}, channel_code
),

-- Sales work goes to enquiries. Booked once the month is over; where there are none, a month's cost has no channel.
sales as (
    select
        month_on,
        sum(cost_amount) as sales_amount
    from {{ ref('fct_operating_cost') }}
    where
        cost_class = 'acquisition'
        and currency = {{ reporting_currency() }}
    group by month_on
),

enquiries as (
    select
        {{ start_of('month', 'lead_on') }} as month_on,
        channel_code,
        count(*) as new_leads,
        count(case when trial_booked_on <= {{ add_days('lead_on', 30) }} then 1 end) as booked_leads,
        count(case when purchased_on <= {{ add_days('lead_on', 90) }} then 1 end) as converted_leads
    from journeys
    group by {{ start_of('month', 'lead_on') }}, channel_code
),

lifetimes as (
    select * from {{ ref('mart_lifetime_value') }}
),

-- Running totals: rounded shares of them add up to the cost, to the cent.
in_order as (
    select
        month_on,
        channel_code,
        new_leads,
        sum(new_leads) over (partition by month_on order by channel_code) as leads_to,
        sum(new_leads) over (partition by month_on) as leads
    from enquiries
),

sales_shares as (
    select
        sales.month_on,
        coalesce(in_order.channel_code, 'other') as channel_code,
        case
            when in_order.channel_code is null then sales.sales_amount
            else
                round(sales.sales_amount * in_order.leads_to / in_order.leads, 2)
                - round(sales.sales_amount * (in_order.leads_to - in_order.new_leads) / in_order.leads, 2)
        end as sales_amount
    from sales
    left join in_order on in_order.month_on = sales.month_on
),

payers as (
    select
        {{ start_of('month', 'customers.first_purchase_on') }} as month_on,
        coalesce(journeys.channel_code, customers.acquisition_channel, 'other') as channel_code,
        count(*) as new_payers,
        sum(coalesce(lifetimes.revenue_to_date_amount, 0)) as revenue_amount,
        sum(coalesce(lifetimes.ltv_historic_amount, 0)) as historic_amount,
        sum(lifetimes.predicted_12m_amount) as predicted_amount
    from customers
    left join journeys on journeys.customer_id = customers.customer_id
    left join lifetimes on lifetimes.customer_id = customers.customer_id
    where customers.first_purchase_on is not null
    group by
        {{ start_of('month', 'customers.first_purchase_on') }},
        coalesce(journeys.channel_code, customers.acquisition_channel, 'other')
),

keys as (
    select
        month_on,
        channel_code
    from costs
    union
    select
        month_on,
        channel_code
    from enquiries
    union
    select
        month_on,
        channel_code
    from payers
    union
    select
        month_on,
        channel_code
    from sales_shares
),

joined as (
    select
        keys.month_on,
        keys.channel_code,
        coalesce(costs.cost_amount, 0) as channel_amount,
        -- Whether the month's sales cost is booked at all: before, nobody knows what a customer cost.
        case when sales.month_on is not null then coalesce(sales_shares.sales_amount, 0) end as sales_amount,
        coalesce(enquiries.new_leads, 0) as new_leads,
        coalesce(enquiries.booked_leads, 0) as booked_leads,
        coalesce(enquiries.converted_leads, 0) as converted_leads,
        coalesce(payers.new_payers, 0) as new_payers,
        coalesce(payers.revenue_amount, 0) as revenue_amount,
        coalesce(payers.historic_amount, 0) as historic_amount,
        payers.predicted_amount
    from keys
    left join costs
        on
            costs.month_on = keys.month_on
            and costs.channel_code = keys.channel_code
    left join sales on sales.month_on = keys.month_on
    left join sales_shares
        on
            sales_shares.month_on = keys.month_on
            and sales_shares.channel_code = keys.channel_code
    left join enquiries
        on
            enquiries.month_on = keys.month_on
            and enquiries.channel_code = keys.channel_code
    left join payers
        on
            payers.month_on = keys.month_on
            and payers.channel_code = keys.channel_code
)

select
    month_on,
    channel_code,
    {{ is_month_over('month_on', 90) }} as is_mature,
    {{ is_month_over('month_on', 30) }} as is_trial_booking_mature,
    cast(channel_amount as numeric(18, 2)) as channel_cost_amount,
    cast(sales_amount as numeric(18, 2)) as sales_cost_amount,
    cast(channel_amount + sales_amount as numeric(18, 2)) as cost_amount,
    cast(new_leads as integer) as new_leads,
    cast(booked_leads as integer) as trial_booked_leads,
    {{ rate('booked_leads', 'new_leads', is_month_over('month_on', 30)) }} as trial_booking_rate,
    cast(converted_leads as integer) as converted_leads,
    {{ rate('converted_leads', 'new_leads', is_month_over('month_on', 90)) }} as lead_conversion_rate,
    cast(new_payers as integer) as new_payers,
    {{ rate('channel_amount', 'new_payers', is_month_over('month_on'), 'numeric(18, 2)') }} as channel_cac_amount,
    {{ rate('(channel_amount + sales_amount)', 'new_payers', is_month_over('month_on'), 'numeric(18, 2)') }}
        as cac_amount,
    cast(revenue_amount as numeric(18, 2)) as revenue_to_date_amount,
    {{ rate('revenue_amount', 'new_payers', kind='numeric(18, 2)') }} as revenue_per_payer_amount,
    {{ rate('revenue_amount', '(channel_amount + sales_amount)', kind='numeric(18, 6)') }} as revenue_to_cost,
    {{ rate(
        '(revenue_amount - channel_amount - sales_amount)', '(channel_amount + sales_amount)', kind='numeric(18, 6)'
    ) }} as roi,
    cast(historic_amount as numeric(18, 2)) as ltv_historic_amount,
    cast(predicted_amount as numeric(18, 2)) as ltv_predicted_12m_amount,
    {{ rate('historic_amount', '(channel_amount + sales_amount)', is_month_over('month_on'), 'numeric(18, 6)') }}
        as ltv_to_cac
from joined
