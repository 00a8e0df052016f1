-- One row per month and home campus with anything to count: renewals, refunds, referrals, care, and what they cost.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

days as (
    {{ days('(select min(first_contact_on) from ' ~ ref('int_customer_home') ~ ')', as_of()) }}
),

months as (
    select {{ start_of('month', 'day_on') }} as month_on
    from days
    group by {{ start_of('month', 'day_on') }}
),

added_up as (
    select
        added.month_on,
        coalesce(customers.campus_id, '') as campus_id,
        added.measure,
        sum(added.value) as value
    from {{ ref('int_loyalty_month') }} as added
    inner join customers on customers.customer_id = added.customer_id
    group by added.month_on, coalesce(customers.campus_id, ''), added.measure
),

campuses as (
    select
        measure,
        campus_id
    from added_up
    where measure in ('start_students', 'balance_students')
    group by measure, campus_id
),

steps as (
    select
        measure,
        campus_id,
        month_on,
        value as step
    from added_up
    where measure in ('start_students', 'balance_students')
    union all
    -- Months in which nothing moves.
    select
        campuses.measure,
        campuses.campus_id,
        months.month_on,
        0 as step
    from months
    cross join campuses
),

standing as (
    select
        measure,
        campus_id,
        month_on,
        sum(sum(step)) over (partition by measure, campus_id order by month_on) as value
    from steps
    group by measure, campus_id, month_on
),

started as (
    select
        coalesce(customers.campus_id, '') as campus_id,
        {{ start_of('month', 'customers.first_purchase_on') }} as month_on,
        count(first_lessons.lesson_since_purchase_on) as activated,
        percentile_cont(0.5) within group (
            order by {{ days_between('customers.first_purchase_on', 'first_lessons.lesson_since_purchase_on') }}
        ) as median_days
    from customers
    left join {{ ref('int_first_lesson') }} as first_lessons on first_lessons.customer_id = customers.customer_id
    where customers.first_purchase_on is not null
    group by coalesce(customers.campus_id, ''), {{ start_of('month', 'customers.first_purchase_on') }}
),

costs as (
    select
        month_on,
        campus_id,
        sum(case when kind = 'service' then cost_amount else 0 end) as service_amount,
        sum(case when cost_class = 'acquisition' then cost_amount else 0 end) as sales_amount
    from {{ ref('fct_operating_cost') }}
    where
        campus_id is not null
        and currency = {{ reporting_currency() }}
    group by month_on, campus_id
),

enquiries as (
    select
        {{ start_of('month', 'lead_on') }} as month_on,
        campus_id,
        count(*) as new_leads
    from {{ ref('int_lead_journey') }}
    group by {{ start_of('month', 'lead_on') }}, campus_id
),

in_order as (
    select
        enquiries.*,
        sum(new_leads) over (partition by month_on order by campus_id) as leads_to,
        sum(new_leads) over (partition by month_on) as leads
    from enquiries
),

-- Spend of channels that no campus was charged is shared out by enquiries, to the cent.
channel_costs as (
    select
        {{ start_of('month', 'cost_on') }} as month_on,
        campus_id,
        sum(cost_amount) as cost_amount
    from {{ ref('stg_channel_costs') }}
    where
        cost_on <= {{ as_of() }}
        and coalesce(currency, {{ reporting_currency() }}) = {{ reporting_currency() }}
    group by {{ start_of('month', 'cost_on') }}, campus_id
),

marketing as (
    select
        month_on,
        campus_id,
        cost_amount
    from channel_costs
    where campus_id is not null
    union all
    select
        channel_costs.month_on,
        in_order.campus_id,
        round(channel_costs.cost_amount * in_order.leads_to / in_order.leads, 2)
        - round(channel_costs.cost_amount * (in_order.leads_to - in_order.new_leads) / in_order.leads, 2)
            as cost_amount
    from channel_costs
    inner join in_order on in_order.month_on = channel_costs.month_on
    where channel_costs.campus_id is null
),

measures as (
    select
        {{ start_of('month', 'due_on') }} as month_on,
        campus_id,
        count(*) as due_enrolments,
        count(renewed_on) as renewed_enrolments,
        sum(due_amount) as due_amount,
        sum(renewed_amount) as renewed_amount
    from {{ ref('int_renewal_due') }}
    group by {{ start_of('month', 'due_on') }}, campus_id
),

long as (
    {% for measure in ['due_enrolments', 'renewed_enrolments', 'due_amount', 'renewed_amount'] %}
        select
            month_on,
            campus_id,
            '{{ measure }}' as measure,
            cast({{ measure }} as numeric) as value
        from measures
        union all
    {% endfor %}
    select
        month_on,
        campus_id,
        measure,
        value
    from added_up
    where measure not in ('start_students', 'balance_students')
    union all
    select
        standing.month_on,
        standing.campus_id,
        standing.measure,
        standing.value
    from standing
    inner join months on months.month_on = standing.month_on
    where standing.value > 0
    union all
    select
        month_on,
        campus_id,
        'kept_students' as measure,
        retained_customers as value
    from {{ ref('mart_growth_accounting') }}
    union all
    select
        month_on,
        campus_id,
        'marketing_amount' as measure,
        cost_amount as value
    from marketing
    union all
    select
        month_on,
        campus_id,
        'sales_amount' as measure,
        sales_amount as value
    from costs
    union all
    select
        month_on,
        campus_id,
        'service_amount' as measure,
        service_amount as value
    from costs
),

counted as (
    select
        month_on,
        coalesce(campus_id, '') as campus_id,
        max(case when measure = 'service_amount' then 1 else 0 end) = 1 as has_costs,
        {% for measure in [
            'due_enrolments', 'renewed_enrolments', 'due_amount', 'renewed_amount', 'payment_amount',
            'payment_refunded_amount', 'balance_students', 'refunded_students', 'start_students', 'expanded_students',
            'referrer_students', 'new_students', 'referred_students', 'csat_responses', 'csat_satisfied',
            'danger_stretches', 'open_stretches', 'saved_stretches', 'due_commitments', 'kept_commitments',
            'k12_charges', 'k12_charges_within_cap', 'left_customers', 'won_back_customers', 'kept_students',
            'marketing_amount', 'sales_amount', 'service_amount'
        ] %}
        coalesce(sum(case when measure = '{{ measure }}' then value end), 0) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
    from long
    group by month_on, coalesce(campus_id, '')
)

{% set is_final = is_month_over('counted.month_on') %}
{% set is_final_30 = is_month_over('counted.month_on', 30) %}
select
    counted.month_on,
    counted.campus_id,
    {{ is_final }} as is_mature,
    {{ is_final_30 }} as is_renewal_mature,
    cast(counted.due_enrolments as integer) as due_enrolments,
    cast(counted.renewed_enrolments as integer) as renewed_enrolments,
    {{ rate('counted.renewed_enrolments', 'counted.due_enrolments', is_final_30) }} as renewal_rate,
    cast(counted.due_amount as numeric(18, 2)) as due_amount,
    cast(counted.renewed_amount as numeric(18, 2)) as renewed_amount,
    {{ rate('counted.renewed_amount', 'counted.due_amount', is_final_30, 'numeric(12, 6)') }} as renewal_rate_amount,
    cast(counted.payment_amount as numeric(18, 2)) as payment_amount,
    cast(counted.payment_refunded_amount as numeric(18, 2)) as payment_refunded_30d_amount,
    {{ rate('counted.payment_refunded_amount', 'counted.payment_amount', is_final_30) }} as refund_rate_amount_d30,
    cast(counted.balance_students as integer) as balance_students,
    cast(counted.refunded_students as integer) as refunded_students,
    {{ rate('counted.refunded_students', 'counted.balance_students', is_final) }} as refund_rate_students,
    cast(counted.start_students as integer) as start_students,
    cast(counted.expanded_students as integer) as expanded_students,
    {{ rate('counted.expanded_students', 'counted.start_students', is_final) }} as expansion_rate,
    {{ add_days('counted.month_on', 90) }} <= {{ add_days(as_of(), 1) }} as is_referrer_mature,
    cast(counted.referrer_students as integer) as referrer_students,
    {{ rate(
        'counted.referrer_students', 'counted.start_students',
        add_days('counted.month_on', 90) ~ ' <= ' ~ add_days(as_of(), 1)
    ) }} as referrer_rate,
    cast(counted.new_students as integer) as new_students,
    cast(counted.referred_students as integer) as referred_students,
    {{ rate('counted.referred_students', 'counted.new_students', is_final) }} as referral_share_new,
    cast(coalesce(started.activated, 0) as integer) as activated_students,
    cast(started.median_days as numeric(9, 2)) as activation_days,
    cast(counted.csat_responses as integer) as csat_responses,
    cast(counted.csat_satisfied as integer) as csat_satisfied,
    {{ rate('counted.csat_satisfied', 'counted.csat_responses', is_final) }} as csat,
    cast(counted.danger_stretches as integer) as danger_stretches,
    cast(counted.open_stretches as integer) as open_danger_stretches,
    cast(counted.saved_stretches as integer) as saved_stretches,
    {{ rate(
        'counted.saved_stretches', 'counted.danger_stretches', is_final ~ ' and counted.open_stretches = 0'
    ) }} as saved_rate,
    cast(counted.due_commitments as integer) as due_commitments,
    cast(counted.kept_commitments as integer) as kept_commitments,
    {{ rate('counted.kept_commitments', 'counted.due_commitments', is_final) }} as promise_kept_rate,
    cast(counted.k12_charges as integer) as k12_charges,
    cast(counted.k12_charges_within_cap as integer) as k12_charges_within_cap,
    {{ rate('counted.k12_charges_within_cap', 'counted.k12_charges', is_final) }} as prepayment_within_cap,
    {{ is_month_over('counted.month_on', 180) }} as is_win_back_mature,
    cast(counted.left_customers as integer) as left_customers,
    cast(counted.won_back_customers as integer) as won_back_customers,
    {{ rate('counted.won_back_customers', 'counted.left_customers', is_month_over('counted.month_on', 180)) }}
        as win_back_rate,
    cast(counted.kept_students as integer) as kept_students,
    cast(case when counted.has_costs then counted.service_amount end as numeric(18, 2)) as service_cost_amount,
    cast(case when counted.has_costs then counted.marketing_amount + counted.sales_amount end as numeric(18, 2))
        as acquisition_cost_amount,
    cast(
        case
            when counted.has_costs
                then
                    counted.service_amount / nullif(counted.kept_students, 0)
                    / nullif(
                        (counted.marketing_amount + counted.sales_amount) / nullif(counted.new_students, 0), 0
                    )
        end as numeric(12, 6)
    ) as retention_to_acquisition_cost
from counted
left join started
    on
        started.campus_id = counted.campus_id
        and started.month_on = counted.month_on
