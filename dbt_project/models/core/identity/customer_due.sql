{# Days on which a fact comes into being or changes, by staging table: as long as such a day lies ahead, it will
   change the customer's rows when it comes, without a load. #}
{% set learner_days = {
    'learners': ['registered_on'],
    'learner_traits': ['noted_on', 'withdrawn_on'],
    'enrolments': ['enrolled_on', 'withdrawn_on', 'completed_on', 'ends_on'],
    'homework': ['due_on', 'submitted_on'],
    'assessments': ['taken_on'],
    'learning_sessions': ['started_on'],
    'goals': ['set_on', 'due_on', 'measured_on'],
    'pauses': ['from_on', 'approved_on'],
    'attendance': ['leave_requested_on'],
    'surveys': ['responded_on'],
    'complaints': ['opened_on', 'closed_on'],
    'service_requests': ['opened_on', 'first_reply_on', 'closed_on'],
    'exit_interviews': ['interviewed_on', 'answered_on'],
    'interventions': ['opened_on', 'closed_on'],
    'contracts': ['signed_on', 'cancelled_on'],
    'handovers': ['handed_over_on', 'documents_on', 'account_on', 'timetable_on', 'accepted_on'],
    'activity_attendance': ['registered_on'],
    'commitments': ['made_on', 'kept_on', 'due_on'],
    'rewards': ['granted_on'],
    'consents': ['given_on'],
    'orders': ['placed_on'],
    'coupons': ['issued_on'],
    'compensations': ['granted_on'],
    'touchpoints': ['occurred_on'],
    'leads': ['created_on'],
} %}
{% set order_days = {
    'payments': ['paid_on'],
    'refunds': ['requested_on', 'resolved_on'],
    'order_lines': ['granted_on'],
} %}
-- One row per customer for whom a fact lies ahead of the day of the build: the first day on which it comes.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

orders as (
    select
        stg_orders.order_id,
        scope.customer_id
    from scope
    inner join {{ ref('stg_orders') }} as stg_orders on stg_orders.learner_id = scope.learner_id
),

leads as (
    select
        stg_leads.lead_id,
        stg_leads.contact_id,
        scope.customer_id
    from scope
    inner join {{ ref('int_lead') }} as stg_leads on stg_leads.learner_id = scope.learner_id
),

days_ahead as (
    {% for staged, days in learner_days.items() %}
        {% for day in days %}
            select
                scope.customer_id,
                staged.{{ day }} as due_on
            from scope
            inner join {{ ref('int_lead' if staged == 'leads' else 'stg_' ~ staged) }} as staged
                on staged.learner_id = scope.learner_id
            where staged.{{ day }} > {{ as_of() }}
            union all
        {% endfor %}
    {% endfor %}
    {% for staged, days in order_days.items() %}
        {% for day in days %}
            select
                orders.customer_id,
                staged.{{ day }} as due_on
            from orders
            inner join {{ ref('stg_' ~ staged) }} as staged on staged.order_id = orders.order_id
            where staged.{{ day }} > {{ as_of() }}
            union all
        {% endfor %}
    {% endfor %}
    -- What is left of a package expires on the day after its last day.
    select
        orders.customer_id,
        {{ add_days('order_lines.ends_on', 1) }} as due_on
    from orders
    inner join {{ ref('stg_order_lines') }} as order_lines on order_lines.order_id = orders.order_id
    where
        order_lines.kind = 'package'
        and {{ add_days('order_lines.ends_on', 1) }} > {{ as_of() }}
    union all
    -- A promise is broken on the day after it was due.
    select
        scope.customer_id,
        {{ add_days('commitments.due_on', 1) }} as due_on
    from scope
    inner join {{ ref('stg_commitments') }} as commitments on commitments.learner_id = scope.learner_id
    where {{ add_days('commitments.due_on', 1) }} > {{ as_of() }}
    union all
    -- Until then it is unknown who came, see fct_activity_attendance.
    select
        scope.customer_id,
        {{ day_of('attendance.updated_at') }} as due_on
    from scope
    inner join {{ ref('stg_activity_attendance') }} as attendance on attendance.learner_id = scope.learner_id
    where {{ day_of('attendance.updated_at') }} > {{ as_of() }}
    union all
    select
        scope.customer_id,
        lessons.starts_on as due_on
    from {{ ref('stg_lessons') }} as lessons
    inner join {{ ref('stg_attendance') }} as attendance on attendance.lesson_id = lessons.lesson_id
    inner join scope on scope.learner_id = attendance.learner_id
    where lessons.starts_on > {{ as_of() }}
    union all
    select
        scope.customer_id,
        {{ day_of('versions.updated_at') }} as due_on
    from scope
    inner join {{ versions_of('learner') }} as versions on versions.learner_id = scope.learner_id
    where {{ day_of('versions.updated_at') }} > {{ as_of() }}
    union all
    select
        scope.customer_id,
        referrals.referred_on as due_on
    from scope
    inner join {{ ref('stg_referrals') }} as referrals on referrals.referrer_learner_id = scope.learner_id
    where referrals.referred_on > {{ as_of() }}
    union all
    -- A contact's word on consent.
    select
        leads.customer_id,
        consents.given_on as due_on
    from leads
    inner join {{ ref('stg_consents') }} as consents on consents.contact_id = leads.contact_id
    where consents.given_on > {{ as_of() }}
    union all
    select
        leads.customer_id,
        trials.booked_on as due_on
    from leads
    inner join {{ ref('stg_trials') }} as trials on trials.lead_id = leads.lead_id
    where trials.booked_on > {{ as_of() }}
    union all
    select
        leads.customer_id,
        touchpoints.occurred_on as due_on
    from leads
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.lead_id = leads.lead_id
    where touchpoints.occurred_on > {{ as_of() }}
)

select
    customer_id,
    min(due_on) as due_on
from days_ahead
group by customer_id
