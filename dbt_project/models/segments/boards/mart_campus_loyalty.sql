-- One row per month and home campus with anything to count: renewals, refunds, referrals, care, and what they cost.
with

customers as (
    select * from {{ ref('dim_customer') }}
    where is_reportable
),

days as (
    {{ days('(select min(first_contact_on) from ' ~ ref('dim_customer') ~ ')', as_of()) }}
),

months as (
    select {{ start_of('month', 'day_on') }} as month_on
    from days
    group by {{ start_of('month', 'day_on') }}
),

-- Stretches as a customer.
existing as (
    select
        spans.customer_id,
        coalesce(customers.campus_id, '') as campus_id,
        spans.valid_from,
        spans.valid_to
    from {{ ref('fct_lifecycle_span') }} as spans
    inner join customers on customers.customer_id = spans.customer_id
    where spans.phase_code = 'existing'
),

-- What is paid and not yet earned, by the end of each month in which it moved, until it moves again.
moved as (
    select
        customer_id,
        month_on,
        sum(billings_amount - refunds_amount - revenue_amount - expired_amount) as amount
    from {{ ref('int_customer_revenue_month') }}
    group by customer_id, month_on
),

balances as (
    select
        customer_id,
        month_on,
        lead(month_on) over (partition by customer_id order by month_on) as next_month_on,
        sum(amount) over (partition by customer_id order by month_on) as closing_amount
    from moved
),

with_balance as (
    select
        balances.customer_id,
        coalesce(customers.campus_id, '') as campus_id,
        balances.month_on,
        balances.next_month_on
    from balances
    inner join customers on customers.customer_id = balances.customer_id
    where balances.closing_amount > 0
),

-- Who is there on the first day of a month is who came by then and has not gone: added up, not listed month by month.
moves as (
    select
        'start_students' as measure,
        campus_id,
        valid_from as day_on,
        1 as step
    from existing
    union all
    select
        'start_students' as measure,
        campus_id,
        valid_to as day_on,
        -1 as step
    from existing
    where valid_to is not null
    union all
    select
        'balance_students' as measure,
        campus_id,
        {{ add_days('month_on', 1) }} as day_on,
        1 as step
    from with_balance
    union all
    select
        'balance_students' as measure,
        campus_id,
        {{ add_days('next_month_on', 1) }} as day_on,
        -1 as step
    from with_balance
    where next_month_on is not null
),

by_day as (
    select
        measure,
        campus_id,
        day_on,
        sum(step) as step
    from moves
    group by measure, campus_id, day_on
),

campuses as (
    select
        measure,
        campus_id
    from by_day
    group by measure, campus_id
),

steps as (
    select
        measure,
        campus_id,
        {{ month_after(add_days('day_on', -1)) }} as month_on,
        step
    from by_day
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

refunds as (
    select * from {{ ref('fct_refund') }}
    where
        resolution = 'paid'
        and currency = {{ reporting_currency() }}
),

given_up as (
    select
        customer_id,
        {{ start_of('month', 'resolved_on') }} as month_on
    from refunds
    where is_whole_line
    group by customer_id, {{ start_of('month', 'resolved_on') }}
),

payments as (
    select
        payments.payment_id,
        payments.customer_id,
        payments.amount,
        payments.paid_on,
        coalesce(sum(refunds.refunded_amount), 0) as refunded_amount
    from {{ ref('fct_payment') }} as payments
    left join refunds
        on
            refunds.payment_id = payments.payment_id
            and refunds.resolved_on <= {{ add_days('payments.paid_on', 30) }}
    where
        payments.status = 'succeeded'
        and payments.currency = {{ reporting_currency() }}
    group by payments.payment_id, payments.customer_id, payments.amount, payments.paid_on
),

subjects as (
    select
        enrolments.customer_id,
        courses.subject,
        min(enrolments.enrolled_on) as first_on
    from {{ ref('fct_enrolment') }} as enrolments
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    group by enrolments.customer_id, courses.subject
),

subjects_in_order as (
    select
        subjects.*,
        min(first_on) over (partition by customer_id) as first_subject_on
    from subjects
),

expanded as (
    select
        customer_id,
        {{ start_of('month', 'first_on') }} as month_on
    from subjects_in_order
    where first_on > first_subject_on
    group by customer_id, {{ start_of('month', 'first_on') }}
),

referred as (
    select
        customers.customer_id,
        min(referrals.referred_on) as referred_on
    from customers
    inner join {{ ref('fct_referral') }} as referrals
        on
            referrals.referred_customer_id = customers.customer_id
            and referrals.referred_on <= customers.first_purchase_on
    group by customers.customer_id
),

referring as (
    select
        network.customer_id,
        months.month_on
    from {{ ref('fct_referral_network') }} as network
    inner join months
        on
            months.month_on <= network.converted_on
            and {{ add_days('months.month_on', 90) }} > network.converted_on
    -- A family may have brought several.
    group by network.customer_id, months.month_on
),

-- A stretch of danger counts once, in the month of its first intervention.
stretches as (
    select
        customer_id,
        coalesce(risk_signal_id, intervention_id) as stretch_id,
        min(opened_on) as opened_on,
        min(case when is_mature then 1 else 0 end) as is_mature,
        max(case when is_still_customer then 1 else 0 end) as is_saved
    from {{ ref('fct_intervention') }}
    group by customer_id, coalesce(risk_signal_id, intervention_id)
),

-- A run that ended, and the first day of the next.
leavings as (
    select
        transitions.customer_id,
        customers.campus_id,
        transitions.to_code,
        transitions.transition_on,
        min(case when transitions.reason_code = 'won_back' then transitions.transition_on end) over (
            partition by transitions.customer_id order by transitions.transition_on
            rows between 1 following and unbounded following
        ) as won_back_on
    from {{ ref('fct_lifecycle_transition') }} as transitions
    inner join customers on customers.customer_id = transitions.customer_id
    where transitions.layer = 'base'
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
    {% for measure in ['amount', 'refunded_amount'] %}
        select
            {{ start_of('month', 'payments.paid_on') }} as month_on,
            customers.campus_id,
            'payment_{{ measure }}' as measure,
            sum(payments.{{ measure }}) as value
        from payments
        inner join customers on customers.customer_id = payments.customer_id
        group by {{ start_of('month', 'payments.paid_on') }}, customers.campus_id
        union all
    {% endfor %}
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
        given_up.month_on,
        with_balance.campus_id,
        'refunded_students' as measure,
        count(*) as value
    from given_up
    inner join with_balance
        on
            with_balance.customer_id = given_up.customer_id
            and with_balance.month_on < given_up.month_on
            and (with_balance.next_month_on is null or with_balance.next_month_on >= given_up.month_on)
    group by given_up.month_on, with_balance.campus_id
    union all
    select
        expanded.month_on,
        existing.campus_id,
        'expanded_students' as measure,
        count(*) as value
    from expanded
    inner join existing
        on
            existing.customer_id = expanded.customer_id
            and existing.valid_from <= expanded.month_on
            and (existing.valid_to is null or existing.valid_to > expanded.month_on)
    group by expanded.month_on, existing.campus_id
    union all
    select
        referring.month_on,
        existing.campus_id,
        'referrer_students' as measure,
        count(*) as value
    from referring
    inner join existing
        on
            existing.customer_id = referring.customer_id
            and existing.valid_from <= referring.month_on
            and (existing.valid_to is null or existing.valid_to > referring.month_on)
    group by referring.month_on, existing.campus_id
    union all
    select
        {{ start_of('month', 'customers.first_purchase_on') }} as month_on,
        customers.campus_id,
        'new_students' as measure,
        count(*) as value
    from customers
    where customers.first_purchase_on is not null
    group by {{ start_of('month', 'customers.first_purchase_on') }}, customers.campus_id
    union all
    select
        {{ start_of('month', 'customers.first_purchase_on') }} as month_on,
        customers.campus_id,
        'referred_students' as measure,
        count(*) as value
    from customers
    inner join referred on referred.customer_id = customers.customer_id
    group by {{ start_of('month', 'customers.first_purchase_on') }}, customers.campus_id
    union all
    {% for measure, condition in {'csat_responses': 'true', 'csat_satisfied': 'surveys.score >= 4'}.items() %}
        select
            {{ start_of('month', 'surveys.responded_on') }} as month_on,
            customers.campus_id,
            '{{ measure }}' as measure,
            count(*) as value
        from {{ ref('fct_survey') }} as surveys
        inner join customers on customers.customer_id = surveys.customer_id
        where
            surveys.kind = 'csat'
            and {{ condition }}
        group by {{ start_of('month', 'surveys.responded_on') }}, customers.campus_id
        union all
    {% endfor %}
    {% for measure, figure in {
        'danger_stretches': 'count(*)', 'open_stretches': 'count(*) - sum(stretches.is_mature)',
        'saved_stretches': 'sum(stretches.is_saved)'
    }.items() %}
        select
            {{ start_of('month', 'stretches.opened_on') }} as month_on,
            customers.campus_id,
            '{{ measure }}' as measure,
            {{ figure }} as value
        from stretches
        inner join customers on customers.customer_id = stretches.customer_id
        group by {{ start_of('month', 'stretches.opened_on') }}, customers.campus_id
        union all
    {% endfor %}
    {% for measure, condition in {
        'left_customers': 'true', 'won_back_customers': 'won_back_on <= ' ~ add_days('transition_on', 180)
    }.items() %}
        select
            {{ start_of('month', 'transition_on') }} as month_on,
            campus_id,
            '{{ measure }}' as measure,
            count(*) as value
        from leavings
        where
            to_code = 'terminated'
            and {{ condition }}
        group by {{ start_of('month', 'transition_on') }}, campus_id
        union all
    {% endfor %}
    {% for measure, condition in {'due_commitments': "<> 'open'", 'kept_commitments': "= 'kept'"}.items() %}
        select
            {{ start_of('month', 'promises.due_on') }} as month_on,
            customers.campus_id,
            '{{ measure }}' as measure,
            count(*) as value
        from {{ ref('fct_commitment') }} as promises
        inner join customers on customers.customer_id = promises.customer_id
        where
            promises.status {{ condition }}
            and promises.due_on <= {{ as_of() }}
        group by {{ start_of('month', 'promises.due_on') }}, customers.campus_id
        union all
    {% endfor %}
    {% for measure, condition in {'k12_charges': 'is not null', 'k12_charges_within_cap': 'is true'}.items() %}
        select
            {{ start_of('month', 'charges.paid_on') }} as month_on,
            customers.campus_id,
            '{{ measure }}' as measure,
            count(*) as value
        from {{ ref('fct_prepayment_check') }} as charges
        inner join customers on customers.customer_id = charges.customer_id
        where
            charges.is_k12
            and charges.is_within_cap {{ condition }}
        group by {{ start_of('month', 'charges.paid_on') }}, customers.campus_id
        union all
    {% endfor %}
    select
        month_on,
        nullif(
            campus_id,
            ''
        ) as campus_id,
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
