-- One row per month and campus with anything to count.
with

customers as (
    select * from {{ ref('int_customer_home') }}
    where is_reportable
),

seats as (
    select
        seats.month_on,
        seats.campus_id,
        sum(seats.attended_seats) as attended_seats,
        sum(seats.absent_seats) as absent_seats,
        sum(seats.leave_seats) as leave_seats
    from {{ ref('int_seat_month') }} as seats
    inner join customers on customers.customer_id = seats.customer_id
    group by seats.month_on, seats.campus_id
),

-- Numerators and denominators as measures of one long table: each is counted where it stands, once.
measures as (
    select
        {{ start_of('month', 'lead_on') }} as month_on,
        campus_id,
        'new_leads' as measure,
        cast(count(*) as numeric) as value
    from {{ ref('int_lead_journey') }}
    group by {{ start_of('month', 'lead_on') }}, campus_id
    union all
    select
        {{ start_of('month', 'trial_attended_on') }} as month_on,
        campus_id,
        'first_trial_students' as measure,
        count(*) as value
    from {{ ref('int_lead_journey') }}
    where trial_attended_on is not null
    group by {{ start_of('month', 'trial_attended_on') }}, campus_id
    union all
    select
        {{ start_of('month', 'trial_attended_on') }} as month_on,
        campus_id,
        'converted_trial_students' as measure,
        count(*) as value
    from {{ ref('int_lead_journey') }}
    where purchased_on between trial_attended_on and {{ add_days('trial_attended_on', 30) }}
    group by {{ start_of('month', 'trial_attended_on') }}, campus_id
    union all
    select
        {{ start_of('month', 'trials.scheduled_on') }} as month_on,
        trials.campus_id,
        case when trials.status = 'attended' then 'attended_trials' else 'missed_trials' end as measure,
        count(*) as value
    from {{ ref('fct_trial') }} as trials
    inner join {{ ref('fct_lead') }} as leads on leads.lead_id = trials.lead_id
    where
        leads.is_reportable
        and trials.scheduled_on <= {{ as_of() }}
        -- A trial cancelled a day or more ahead was not to take place.
        and (trials.cancelled_at is null or {{ hours_between('trials.cancelled_at', 'trials.scheduled_at') }} < 24)
    group by
        {{ start_of('month', 'trials.scheduled_on') }},
        trials.campus_id,
        case when trials.status = 'attended' then 'attended_trials' else 'missed_trials' end
    union all
    {% for measure in ['attended_seats', 'absent_seats', 'leave_seats'] %}
        select
            month_on,
            campus_id,
            '{{ measure }}' as measure,
            {{ measure }} as value
        from seats
        union all
    {% endfor %}
    {% for measure, figure in {
        'homework_done': 'homework_done', 'homework_not_done': 'homework_due - homework_done'
    }.items() %}
        select
            month_on,
            campus_id,
            '{{ measure }}' as measure,
            {{ figure }} as value
        from {{ ref('int_homework_counted') }}
        union all
    {% endfor %}
    select
        {{ start_of('month', 'surveys.responded_on') }} as month_on,
        surveys.campus_id,
        case when surveys.score >= 9 then 'promoters' when surveys.score <= 6 then 'detractors' else 'passives' end
            as measure,
        count(*) as value
    from {{ ref('fct_survey') }} as surveys
    inner join customers on customers.customer_id = surveys.customer_id
    where surveys.kind = 'nps'
    group by
        {{ start_of('month', 'surveys.responded_on') }},
        surveys.campus_id,
        case when surveys.score >= 9 then 'promoters' when surveys.score <= 6 then 'detractors' else 'passives' end
    union all
    select
        {{ start_of('month', 'complaints.opened_on') }} as month_on,
        complaints.campus_id,
        'complaints' as measure,
        count(*) as value
    from {{ ref('fct_complaint') }} as complaints
    inner join customers on customers.customer_id = complaints.customer_id
    group by {{ start_of('month', 'complaints.opened_on') }}, complaints.campus_id
    union all
    -- Cash and revenue by customer: what test accounts paid is left out as they are everywhere.
    {% for measure in ['billings', 'refunds', 'revenue'] %}
        select
            money.month_on,
            money.campus_id,
            '{{ measure }}' as measure,
            sum(money.{{ measure }}_amount) as value
        from {{ ref('int_customer_revenue_month') }} as money
        inner join customers on customers.customer_id = money.customer_id
        group by money.month_on, money.campus_id
        union all
    {% endfor %}
    select
        month_on,
        campus_id,
        'active_customers' as measure,
        active_customers as value
    from {{ ref('mart_growth_accounting') }}
    union all
    select
        month_on,
        campus_id,
        'active_before_customers' as measure,
        active_before_customers as value
    from {{ ref('mart_growth_accounting') }}
    union all
    select
        month_on,
        campus_id,
        'churned_customers' as measure,
        churned_customers as value
    from {{ ref('mart_growth_accounting') }}
),

counted as (
    select
        month_on,
        coalesce(campus_id, '') as campus_id,
        {% for measure in [
            'new_leads', 'first_trial_students', 'converted_trial_students', 'attended_trials', 'missed_trials',
            'attended_seats', 'absent_seats', 'leave_seats', 'homework_done', 'homework_not_done', 'promoters',
            'passives', 'detractors', 'complaints', 'billings', 'refunds', 'revenue', 'active_customers',
            'active_before_customers', 'churned_customers'
        ] %}
        coalesce(sum(case when measure = '{{ measure }}' then value end), 0) as {{ measure }}{{ ',' if not loop.last }}
    {% endfor %}
    from measures
    group by month_on, coalesce(campus_id, '')
)

{% set is_final = is_month_over('month_on') %}
select
    month_on,
    campus_id,
    {{ is_month_over('month_on') }} as is_mature,
    cast(new_leads as integer) as new_leads,
    cast(first_trial_students as integer) as first_trial_students,
    cast(converted_trial_students as integer) as converted_trial_students,
    {{ rate('converted_trial_students', 'first_trial_students', is_month_over('month_on', 30)) }}
        as trial_conversion_rate,
    {{ is_month_over('month_on', 30) }} as is_trial_conversion_mature,
    cast(attended_trials as integer) as attended_trials,
    cast(attended_trials + missed_trials as integer) as due_trials,
    {{ rate('attended_trials', '(attended_trials + missed_trials)', is_final) }} as trial_show_rate,
    cast(attended_seats as integer) as attended_seats,
    cast(attended_seats + absent_seats as integer) as due_seats,
    {{ rate('attended_seats', '(attended_seats + absent_seats)', is_final) }} as attendance_rate,
    cast(attended_seats + absent_seats + leave_seats as integer) as due_seats_gross,
    {{ rate('attended_seats', '(attended_seats + absent_seats + leave_seats)', is_final) }} as attendance_rate_gross,
    cast(homework_done as integer) as homework_done,
    cast(homework_done + homework_not_done as integer) as homework_due,
    {{ rate('homework_done', '(homework_done + homework_not_done)', is_final) }} as homework_completion_rate,
    cast(promoters as integer) as nps_promoters,
    cast(detractors as integer) as nps_detractors,
    cast(promoters + passives + detractors as integer) as nps_responses,
    {{ rate('(promoters - detractors)', '(promoters + passives + detractors)', is_final) }} as nps,
    cast(complaints as integer) as complaints,
    cast(active_customers as integer) as active_customers,
    cast(active_before_customers as integer) as active_before_customers,
    cast(churned_customers as integer) as churned_customers,
    {{ rate('churned_customers', 'active_before_customers', is_final) }} as churn_rate,
    cast(billings as numeric(18, 2)) as billings_amount,
    cast(refunds as numeric(18, 2)) as refunds_amount,
    cast(billings - refunds as numeric(18, 2)) as net_billings_amount,
    cast(revenue as numeric(18, 2)) as revenue_amount
from counted
