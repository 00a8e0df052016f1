{# Every fact that tells of a customer: a fact table, the name of its source
   table, day and id; or a staging table that no fact carries yet. #}
{% set fact_days = [
    ('fct_lead', 'leads', 'created_on', 'lead_id'),
    ('fct_touchpoint', 'touchpoints', 'occurred_on', 'touchpoint_id'),
    ('fct_trial', 'trials', 'booked_on', 'trial_id'),
    ('fct_order', 'orders', 'placed_on', 'order_id'),
    ('fct_payment', 'payments', 'paid_on', 'payment_id'),
    ('fct_refund', 'refunds', 'requested_on', 'refund_id'),
    ('fct_enrolment', 'enrolments', 'enrolled_on', 'enrolment_id'),
    ('fct_enrolment', 'enrolments', 'withdrawn_on', 'enrolment_id'),
    ('fct_attendance', 'attendance', 'lesson_on', 'attendance_id'),
    ('fct_homework', 'homework', 'submitted_on', 'homework_id'),
    ('fct_assessment', 'assessments', 'taken_on', 'assessment_result_id'),
    ('fct_learning_day', 'learning_sessions', 'learning_on', 'first_session_id'),
    ('fct_survey', 'surveys', 'responded_on', 'survey_id'),
    ('fct_complaint', 'complaints', 'opened_on', 'complaint_id'),
    ('fct_referral', 'referrals', 'referred_on', 'referral_id'),
] %}
{% set staged_days = [
    ('learners', 'registered_on', 'learner_id'),
    ('contracts', 'signed_on', 'contract_id'),
    ('handovers', 'handed_over_on', 'handover_id'),
    ('activity_attendance', 'registered_on', 'activity_attendance_id'),
    ('rewards', 'granted_on', 'reward_id'),
    ('consents', 'given_on', 'consent_id'),
    ('service_requests', 'opened_on', 'service_request_id'),
    ('exit_interviews', 'interviewed_on', 'exit_interview_id'),
    ('interventions', 'opened_on', 'intervention_id'),
    ('goals', 'set_on', 'goal_id'),
    ('pauses', 'from_on', 'pause_id'),
    ('coupons', 'issued_on', 'coupon_id'),
    ('compensations', 'granted_on', 'compensation_id'),
    ('commitments', 'made_on', 'commitment_id'),
] %}
-- One row per customer: the earliest day of any fact about the customer, and that fact.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

contacts as (
    {% for fact, named, day, id in fact_days %}
        select
            fact.customer_id,
            fact.{{ day }} as contact_on,
            '{{ named }}' as cause_table,
            fact.{{ id }} as cause_id,
            {{ loop.index }} as place
        from changed
        inner join {{ ref(fact) }} as fact on fact.customer_id = changed.customer_id
        where fact.{{ day }} is not null
        union all
    {% endfor %}
    {% for staged, day, id in staged_days %}
        select
            scope.customer_id,
            staged.{{ day }} as contact_on,
            '{{ staged }}' as cause_table,
            staged.{{ id }} as cause_id,
            {{ fact_days | length + loop.index }} as place
        from scope
        inner join {{ ref('stg_' ~ staged) }} as staged on staged.learner_id = scope.learner_id
        where staged.{{ day }} <= {{ as_of() }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Of several facts on the first day the one that comes first in the lists above is the cause.
in_order as (
    select
        contacts.*,
        row_number() over (
            partition by contacts.customer_id
            order by contacts.contact_on, contacts.place, contacts.cause_id
        ) as contact_no
    from contacts
)

select
    customer_id,
    contact_on,
    cause_table,
    cause_id
from in_order
where contact_no = 1
