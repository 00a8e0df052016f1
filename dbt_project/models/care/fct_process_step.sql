-- One row per lead (or customer, once there is one) and step entered of the way from the enquiry to the renewal.
-- It joins expressions whose rows the planner can only guess: nested loops would hold everything against everything.
{{ config(pre_hook="{{ join_whole_tables() }}") }}
with

changed_customers as (
    select * from {{ ref('changed_customer') }}
),

changed_leads as (
    select * from {{ ref('changed_lead') }}
),

steps as (
    select * from {{ ref('process_step') }}
),

deadlines as (
    select * from {{ ref('process_step_rules') }}
),

customers as (
    select
        'customer:' || customers.customer_id as process_id,
        customers.customer_id,
        customers.campus_id
    from changed_customers
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = changed_customers.customer_id
),

leads as (
    select
        customers.process_id,
        leads.lead_id,
        leads.customer_id,
        leads.campus_id,
        leads.advisor_id,
        leads.created_on,
        leads.created_at,
        leads.first_trial_booked_on,
        leads.status,
        leads.status_on
    from customers
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = customers.customer_id
    union all
    select
        'lead:' || leads.lead_id as process_id,
        leads.lead_id,
        leads.customer_id,
        leads.campus_id,
        leads.advisor_id,
        leads.created_on,
        leads.created_at,
        leads.first_trial_booked_on,
        leads.status,
        leads.status_on
    from changed_leads
    inner join {{ ref('fct_lead') }} as leads on leads.lead_id = changed_leads.lead_id
    where leads.customer_id is null
),

processes as (
    select
        process_id,
        customer_id,
        cast(null as text) as lead_id,
        campus_id
    from customers
    union all
    select
        process_id,
        customer_id,
        lead_id,
        campus_id
    from leads
    where customer_id is null
),

paid_orders as (
    select
        customers.process_id,
        orders.order_id,
        orders.placed_on,
        orders.purchased_on
    from customers
    inner join {{ ref('fct_order') }} as orders on orders.customer_id = customers.customer_id
    where orders.is_reportable
),

first_purchases as (
    select
        process_id,
        min(purchased_on) as first_purchase_on
    from paid_orders
    group by process_id
),

days as (
    select
        process_id,
        'acquire_screen' as step_code,
        created_on as day_on
    from leads
    union all
    select
        process_id,
        'consult' as step_code,
        first_trial_booked_on as day_on
    from leads
    union all
    select
        customers.process_id,
        'consult' as step_code,
        touchpoints.occurred_on as day_on
    from customers
    inner join {{ ref('fct_touchpoint') }} as touchpoints on touchpoints.customer_id = customers.customer_id
    where {{ is_answered('touchpoints') }}
    union all
    select
        leads.process_id,
        'consult' as step_code,
        touchpoints.occurred_on as day_on
    from leads
    inner join {{ ref('fct_touchpoint') }} as touchpoints on touchpoints.lead_id = leads.lead_id
    where
        leads.customer_id is null
        and {{ is_answered('touchpoints') }}
    union all
    select
        process_id,
        'contract_enrol' as step_code,
        placed_on as day_on
    from paid_orders
    union all
    select
        customers.process_id,
        'contract_enrol' as step_code,
        contracts.signed_on as day_on
    from customers
    inner join {{ ref('fct_contract') }} as contracts on contracts.customer_id = customers.customer_id
    union all
    select
        leads.process_id,
        'contract_enrol' as step_code,
        contracts.signed_on as day_on
    from leads
    inner join {{ ref('fct_contract') }} as contracts on contracts.lead_id = leads.lead_id
    where
        leads.customer_id is null
        and contracts.customer_id is null
    union all
    -- Only what was learnt since the first purchase: a trial, or a gift before it, is no enrolment.
    select
        customers.process_id,
        'learn' as step_code,
        attendance.lesson_on as day_on
    from customers
    inner join first_purchases on first_purchases.process_id = customers.process_id
    inner join {{ ref('fct_attendance') }} as attendance on attendance.customer_id = customers.customer_id
    where
        attendance.outcome_class = 'attended'
        and attendance.lesson_on >= first_purchases.first_purchase_on
    union all
    select
        customers.process_id,
        'learn' as step_code,
        learning_days.learning_on as day_on
    from customers
    inner join first_purchases on first_purchases.process_id = customers.process_id
    inner join {{ ref('fct_learning_day') }} as learning_days on learning_days.customer_id = customers.customer_id
    where
        learning_days.is_study_day
        and learning_days.learning_on >= first_purchases.first_purchase_on
    union all
    select
        customers.process_id,
        'maintain' as step_code,
        spans.valid_from as day_on
    from customers
    inner join {{ ref('fct_lifecycle_span') }} as spans on spans.customer_id = customers.customer_id
    where spans.base_stage in ('growth', 'mature')
    union all
    select
        customers.process_id,
        'renew_refer' as step_code,
        {{ renewal_asked_on() }} as day_on
    from customers
    {{ signup_rules_of('customers.campus_id') }}
    inner join {{ ref('fct_order_line') }} as lines on lines.customer_id = customers.customer_id
    where
        not lines.is_gift
        and lines.granted_on <= lines.ends_on
    union all
    -- A package may be used up long before it expires.
    select
        customers.process_id,
        'renew_refer' as step_code,
        signals.opened_on as day_on
    from customers
    inner join {{ ref('fct_risk_signal') }} as signals on signals.customer_id = customers.customer_id
    where signals.signal_code = 'lapsing'
    union all
    -- Who buys again without being asked renews on that day.
    select
        paid_orders.process_id,
        'renew_refer' as step_code,
        paid_orders.purchased_on as day_on
    from paid_orders
    inner join first_purchases on first_purchases.process_id = paid_orders.process_id
    where paid_orders.purchased_on > first_purchases.first_purchase_on
),

first_days as (
    select
        days.process_id,
        days.step_code,
        steps.step_no,
        steps.owner_kind,
        min(days.day_on) as entered_on
    from days
    inner join steps on steps.step_code = days.step_code
    where days.day_on <= {{ as_of() }}
    group by days.process_id, days.step_code, steps.step_no, steps.owner_kind
),

-- Who leaves takes no further step; a win-back is told by the lifecycle.
gone as (
    select
        customers.process_id,
        min(spans.valid_from) as gone_on,
        'left' as left_by
    from customers
    inner join {{ ref('fct_lifecycle_span') }} as spans on spans.customer_id = customers.customer_id
    where spans.phase_code = 'churned'
    group by customers.process_id
    union all
    -- Given up when every enquiry is, and nothing was bought.
    select
        leads.process_id,
        max(leads.status_on) as gone_on,
        'given_up' as left_by
    from leads
    left join first_purchases on first_purchases.process_id = leads.process_id
    where first_purchases.first_purchase_on is null
    group by leads.process_id
    having count(*) = count(case when leads.status in ('lost', 'invalid') then 1 end)
),

renewals as (
    select
        first_days.process_id,
        min(paid_orders.purchased_on) as renewed_on
    from first_days
    inner join first_purchases on first_purchases.process_id = first_days.process_id
    inner join paid_orders on paid_orders.process_id = first_days.process_id
    where
        first_days.step_code = 'renew_refer'
        and paid_orders.purchased_on > first_purchases.first_purchase_on
        and paid_orders.purchased_on >= first_days.entered_on
    group by first_days.process_id
),

followed as (
    select
        first_days.*,
        -- A step that comes after one that is entered earlier is never stood in.
        min(first_days.entered_on) over (
            partition by first_days.process_id order by first_days.step_no
            rows between 1 following and unbounded following
        ) as next_on
    from first_days
),

entered as (
    select
        followed.process_id,
        followed.step_code,
        followed.step_no,
        followed.owner_kind,
        followed.entered_on,
        least(followed.next_on, renewals.renewed_on, gone.gone_on) as left_on,
        case
            when followed.next_on <= least(renewals.renewed_on, gone.gone_on, followed.next_on) then 'next_step'
            when renewals.renewed_on <= least(renewals.renewed_on, gone.gone_on) then 'renewed'
            else gone.left_by
        end as left_by
    from followed
    left join renewals
        on
            renewals.process_id = followed.process_id
            and followed.step_code = 'renew_refer'
    left join gone on gone.process_id = followed.process_id
    where
        (followed.next_on is null or followed.next_on >= followed.entered_on)
        and (gone.gone_on is null or gone.gone_on >= followed.entered_on)
),

advisors as (
    select
        process_id,
        advisor_id,
        row_number() over (partition by process_id order by created_at, lead_id) as lead_no
    from leads
),

teachers as (
    select
        customers.process_id,
        handovers.teacher_id,
        row_number() over (
            partition by customers.process_id order by handovers.handed_over_at, handovers.handover_id
        ) as handover_no
    from customers
    inner join {{ ref('fct_handover') }} as handovers on handovers.customer_id = customers.customer_id
),

owned as (
    select
        entered.*,
        processes.customer_id,
        processes.lead_id,
        processes.campus_id,
        case when entered.owner_kind = 'teacher' then teachers.teacher_id else advisors.advisor_id end as owner_id,
        {{ add_days('entered.entered_on', 'deadlines.deadline_days') }} as due_on
    from entered
    inner join processes on processes.process_id = entered.process_id
    -- The campus's own deadline where it has one, also an empty one; else that of every campus.
    inner join deadlines
        on
            deadlines.step_code = entered.step_code
            and coalesce(deadlines.campus_id, '') = coalesce(
                (
                    select own.campus_id
                    from deadlines as own
                    where
                        own.step_code = entered.step_code
                        and own.campus_id = processes.campus_id
                ), ''
            )
    left join advisors
        on
            advisors.process_id = entered.process_id
            and advisors.lead_no = 1
    left join teachers
        on
            teachers.process_id = entered.process_id
            and teachers.handover_no = 1
)

select
    process_id,
    step_code,
    step_no,
    customer_id,
    lead_id,
    campus_id,
    owner_kind,
    owner_id,
    entered_on,
    left_on,
    left_by,
    {{ days_between('entered_on', 'left_on') }} as days,
    due_on,
    -- On the day it is due it is not late yet.
    coalesce(coalesce(left_on, {{ as_of() }}) > due_on, false) as is_breached
from owned
