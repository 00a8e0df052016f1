-- One row per exit interview.
with

interviews as (
    select * from {{ ref('stg_exit_interviews') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

asked as (
    select
        interviews.exit_interview_id,
        scope.customer_id,
        scope.campus_id,
        interviews.advisor_id,
        interviews.reason_code,
        interviews.offer_code,
        -- A source that does not say when the offer was answered is taken to have noted it at once.
        {{ once('coalesce(interviews.answered_on, interviews.interviewed_on)', 'interviews.is_offer_accepted') }}
            as is_offer_accepted,
        interviews.interviewed_on,
        interviews.interviewed_at,
        {{ add_days('interviews.interviewed_on', 'rules.still_there_days') }} as matures_on
    from scope
    inner join interviews on interviews.learner_id = scope.learner_id
    {{ signup_rules_of('scope.campus_id') }}
    where interviews.interviewed_on <= {{ as_of() }}
),

lapsing as (
    select asked.exit_interview_id
    from asked
    inner join {{ ref('fct_risk_signal') }} as signals on signals.customer_id = asked.customer_id
    where
        signals.signal_code = 'lapsing'
        and signals.opened_on <= asked.interviewed_on
        and (signals.closed_on is null or signals.closed_on > asked.interviewed_on)
    group by asked.exit_interview_id
),

wants_refund as (
    select asked.exit_interview_id
    from asked
    inner join {{ ref('fct_refund') }} as refunds on refunds.customer_id = asked.customer_id
    where
        refunds.requested_on <= asked.interviewed_on
        and (refunds.resolved_on is null or refunds.resolved_on > asked.interviewed_on)
    -- Several requests may be open.
    group by asked.exit_interview_id
),

stood as (
    select
        asked.exit_interview_id,
        spans.base_stage,
        spans.run_no
    from asked
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = asked.customer_id
            and spans.valid_from <= asked.interviewed_on
            and (spans.valid_to is null or spans.valid_to > asked.interviewed_on)
),

looked_back_on as (
    select
        asked.exit_interview_id,
        spans.base_stage in ('onboarding', 'growth', 'mature') as is_customer
    from asked
    inner join {{ ref('fct_lifecycle_span') }} as spans
        on
            spans.customer_id = asked.customer_id
            and spans.valid_from <= asked.matures_on
            and (spans.valid_to is null or spans.valid_to > asked.matures_on)
    where asked.matures_on <= {{ as_of() }}
)

select
    asked.exit_interview_id,
    asked.customer_id,
    asked.campus_id,
    asked.advisor_id,
    asked.reason_code,
    wants_refund.exit_interview_id is not null as is_refund_requested,
    lapsing.exit_interview_id is not null as is_lapsing,
    case
        when wants_refund.exit_interview_id is not null then 'refund_request'
        when lapsing.exit_interview_id is not null then 'lapsing'
        when stood.base_stage in ('onboarding', 'growth', 'mature') then 'customer'
        when stood.run_no > 0 then 'after_leaving'
        else 'before_buying'
    end as asked_while,
    asked.offer_code,
    asked.offer_code is not null as is_offer_made,
    asked.is_offer_accepted,
    asked.interviewed_on,
    asked.interviewed_at,
    asked.matures_on,
    asked.matures_on <= {{ as_of() }} as is_mature,
    case when asked.matures_on <= {{ as_of() }} then coalesce(looked_back_on.is_customer, false) end
        as is_still_customer
from asked
left join lapsing on lapsing.exit_interview_id = asked.exit_interview_id
left join wants_refund on wants_refund.exit_interview_id = asked.exit_interview_id
left join stood on stood.exit_interview_id = asked.exit_interview_id
left join looked_back_on on looked_back_on.exit_interview_id = asked.exit_interview_id
