-- One row per customer, month and measure of mart_campus_loyalty: what the customer adds to it, at whatever campus. Of
-- measures that stand (start_students, balance_students) the step by which they change in the month.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_loyalty') }}
),

days as (
    {{ days('(select min(first_contact_on) from ' ~ ref('int_customer_home') ~ ')', as_of()) }}
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
        spans.valid_from,
        spans.valid_to
    from changed
    inner join {{ ref('fct_lifecycle_span') }} as spans on spans.customer_id = changed.customer_id
    where spans.phase_code = 'existing'
),

-- What is paid and not yet earned, by the end of each month in which it moved, until it moves again.
moved as (
    select
        revenue.customer_id,
        revenue.month_on,
        sum(revenue.billings_amount - revenue.refunds_amount - revenue.revenue_amount - revenue.expired_amount)
            as amount
    from changed
    inner join {{ ref('int_customer_revenue_month') }} as revenue on revenue.customer_id = changed.customer_id
    group by revenue.customer_id, revenue.month_on
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
        customer_id,
        month_on,
        next_month_on
    from balances
    where closing_amount > 0
),

-- Who is there on the first day of a month is who came by then and has not gone: added up, not listed month by month.
moves as (
    select
        customer_id,
        'start_students' as measure,
        {{ month_after(add_days('valid_from', -1)) }} as month_on,
        1 as step
    from existing
    union all
    select
        customer_id,
        'start_students' as measure,
        {{ month_after(add_days('valid_to', -1)) }} as month_on,
        -1 as step
    from existing
    where valid_to is not null
    union all
    select
        customer_id,
        'balance_students' as measure,
        {{ month_after('month_on') }} as month_on,
        1 as step
    from with_balance
    union all
    select
        customer_id,
        'balance_students' as measure,
        {{ month_after('next_month_on') }} as month_on,
        -1 as step
    from with_balance
    where next_month_on is not null
),

refunds as (
    select fct_refund.*
    from changed
    inner join {{ ref('fct_refund') }} as fct_refund on fct_refund.customer_id = changed.customer_id
    where
        fct_refund.resolution = 'paid'
        and fct_refund.currency = {{ reporting_currency() }}
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
    from changed
    inner join {{ ref('fct_payment') }} as payments on payments.customer_id = changed.customer_id
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
    from changed
    inner join {{ ref('fct_enrolment') }} as enrolments on enrolments.customer_id = changed.customer_id
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

bought as (
    select
        customers.customer_id,
        customers.first_purchase_on
    from changed
    inner join {{ ref('int_customer_home') }} as customers on customers.customer_id = changed.customer_id
    where customers.first_purchase_on is not null
),

referred as (
    select
        bought.customer_id,
        bought.first_purchase_on
    from bought
    where
        exists (
            select 1
            from {{ ref('fct_referral') }} as referrals
            where
                referrals.referred_customer_id = bought.customer_id
                and referrals.referred_on <= bought.first_purchase_on
        )
),

referring as (
    select
        network.customer_id,
        months.month_on
    from changed
    inner join {{ ref('fct_referral_network') }} as network on network.customer_id = changed.customer_id
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
        interventions.customer_id,
        min(interventions.opened_on) as opened_on,
        min(case when interventions.is_mature then 1 else 0 end) as is_mature,
        max(case when interventions.is_still_customer then 1 else 0 end) as is_saved
    from changed
    inner join {{ ref('fct_intervention') }} as interventions on interventions.customer_id = changed.customer_id
    group by interventions.customer_id, coalesce(interventions.risk_signal_id, interventions.intervention_id)
),

-- A run that ended, and the first day of the next.
leavings as (
    select
        transitions.customer_id,
        transitions.to_code,
        transitions.transition_on,
        min(case when transitions.reason_code = 'won_back' then transitions.transition_on end) over (
            partition by transitions.customer_id order by transitions.transition_on
            rows between 1 following and unbounded following
        ) as won_back_on
    from changed
    inner join {{ ref('fct_lifecycle_transition') }} as transitions on transitions.customer_id = changed.customer_id
    where transitions.layer = 'base'
),

events as (
    select
        customer_id,
        month_on,
        measure,
        cast(step as numeric) as value
    from moves
    union all
    {% for measure in ['amount', 'refunded_amount'] %}
        select
            customer_id,
            {{ start_of('month', 'paid_on') }} as month_on,
            'payment_{{ measure }}' as measure,
            {{ measure }} as value
        from payments
        union all
    {% endfor %}
    select
        given_up.customer_id,
        given_up.month_on,
        'refunded_students' as measure,
        1 as value
    from given_up
    inner join with_balance
        on
            with_balance.customer_id = given_up.customer_id
            and with_balance.month_on < given_up.month_on
            and (with_balance.next_month_on is null or with_balance.next_month_on >= given_up.month_on)
    {% for measure, students in {'expanded_students': 'expanded', 'referrer_students': 'referring'}.items() %}
        union all
        select
            students.customer_id,
            students.month_on,
            '{{ measure }}' as measure,
            1 as value
        from {{ students }} as students
        inner join existing
            on
                existing.customer_id = students.customer_id
                and existing.valid_from <= students.month_on
                and (existing.valid_to is null or existing.valid_to > students.month_on)
    {% endfor %}
    {% for measure, students in {'new_students': 'bought', 'referred_students': 'referred'}.items() %}
        union all
        select
            customer_id,
            {{ start_of('month', 'first_purchase_on') }} as month_on,
            '{{ measure }}' as measure,
            1 as value
        from {{ students }}
    {% endfor %}
    {% for measure, condition in {'csat_responses': 'true', 'csat_satisfied': 'surveys.score >= 4'}.items() %}
        union all
        select
            surveys.customer_id,
            {{ start_of('month', 'surveys.responded_on') }} as month_on,
            '{{ measure }}' as measure,
            1 as value
        from changed
        inner join {{ ref('fct_survey') }} as surveys on surveys.customer_id = changed.customer_id
        where
            surveys.kind = 'csat'
            and {{ condition }}
    {% endfor %}
    {% for measure, figure in {
        'danger_stretches': '1', 'open_stretches': '1 - is_mature', 'saved_stretches': 'is_saved'
    }.items() %}
        union all
        select
            customer_id,
            {{ start_of('month', 'opened_on') }} as month_on,
            '{{ measure }}' as measure,
            {{ figure }} as value
        from stretches
    {% endfor %}
    {% for measure, condition in {
        'left_customers': 'true', 'won_back_customers': 'won_back_on <= ' ~ add_days('transition_on', 180)
    }.items() %}
        union all
        select
            customer_id,
            {{ start_of('month', 'transition_on') }} as month_on,
            '{{ measure }}' as measure,
            1 as value
        from leavings
        where
            to_code = 'terminated'
            and {{ condition }}
    {% endfor %}
    {% for measure, condition in {'due_commitments': "<> 'open'", 'kept_commitments': "= 'kept'"}.items() %}
        union all
        select
            promises.customer_id,
            {{ start_of('month', 'promises.due_on') }} as month_on,
            '{{ measure }}' as measure,
            1 as value
        from changed
        inner join {{ ref('fct_commitment') }} as promises on promises.customer_id = changed.customer_id
        where
            promises.status {{ condition }}
            and promises.due_on <= {{ as_of() }}
    {% endfor %}
    {% for measure, condition in {'k12_charges': 'is not null', 'k12_charges_within_cap': 'is true'}.items() %}
        union all
        select
            charges.customer_id,
            {{ start_of('month', 'charges.paid_on') }} as month_on,
            '{{ measure }}' as measure,
            1 as value
        from changed
        inner join {{ ref('fct_prepayment_check') }} as charges on charges.customer_id = changed.customer_id
        where
            charges.is_k12
            and charges.is_within_cap {{ condition }}
    {% endfor %}
)

select
    customer_id,
    month_on,
    measure,
    cast(sum(value) as numeric(18, 2)) as value
from events
group by customer_id, month_on, measure
having sum(value) <> 0
