-- One row per customer: the advisor and the teacher whose customer it is, and whether a guardian can be spoken to.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select
        changed.customer_id,
        dim_customer.campus_id
    from {{ ref('changed_customer') }} as changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = changed.customer_id
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

handovers as (
    select
        customers.customer_id,
        handovers.advisor_id,
        handovers.teacher_id,
        handovers.handed_over_on,
        handovers.handed_over_at,
        handovers.handover_id
    from customers
    inner join {{ ref('fct_handover') }} as handovers on handovers.customer_id = customers.customer_id
),

advisors as (
    select
        customer_id,
        advisor_id,
        'handover' as owned_by,
        handed_over_on as since_on,
        -- Who handed the customer over knows it better than who took the enquiry.
        row_number() over (partition by customer_id order by handed_over_at desc, handover_id desc) as place
    from handovers
    where advisor_id is not null
    union all
    select
        customers.customer_id,
        leads.advisor_id,
        'lead' as owned_by,
        leads.created_on as since_on,
        1000 + row_number() over (partition by customers.customer_id order by leads.created_at desc, leads.lead_id desc)
            as place
    from customers
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = customers.customer_id
    where leads.advisor_id is not null
),

teachers as (
    select
        customers.customer_id,
        lessons.teacher_id,
        'lesson' as owned_by,
        lessons.lesson_on as since_on,
        row_number() over (
            partition by customers.customer_id order by lessons.lesson_at desc, lessons.attendance_id desc
        ) as place
    from customers
    inner join {{ ref('fct_attendance') }} as lessons on lessons.customer_id = customers.customer_id
    where lessons.teacher_id is not null
    union all
    select
        customer_id,
        teacher_id,
        'handover' as owned_by,
        handed_over_on as since_on,
        1000000 + row_number() over (partition by customer_id order by handed_over_at desc, handover_id desc) as place
    from handovers
    where teacher_id is not null
),

first_advisors as (
    select
        *,
        row_number() over (partition by customer_id order by place) as owner_no
    from advisors
),

first_teachers as (
    select
        *,
        row_number() over (partition by customer_id order by place) as owner_no
    from teachers
),

guardians as (
    select
        scope.customer_id,
        true as has_guardian
    from scope
    inner join {{ ref('stg_learners') }} as learners on learners.learner_id = scope.learner_id
    -- The flag is there where a phone is, well formed or not.
    where learners.guardian_phone_is_valid
    union
    select
        scope.customer_id,
        true as has_guardian
    from scope
    inner join {{ ref('int_lead') }} as leads on leads.learner_id = scope.learner_id
    inner join {{ ref('stg_contacts') }} as contacts on contacts.contact_id = leads.contact_id
    where
        contacts.relation in ('mother', 'father', 'grandparent')
        and leads.created_on <= {{ as_of() }}
)

select
    customers.customer_id,
    customers.campus_id,
    first_advisors.advisor_id,
    first_advisors.owned_by as advisor_by,
    first_advisors.since_on as advisor_since_on,
    first_teachers.teacher_id,
    first_teachers.owned_by as teacher_by,
    first_teachers.since_on as teacher_seen_on,
    coalesce(guardians.has_guardian, false) as has_guardian
from customers
left join first_advisors
    on
        first_advisors.customer_id = customers.customer_id
        and first_advisors.owner_no = 1
left join first_teachers
    on
        first_teachers.customer_id = customers.customer_id
        and first_teachers.owner_no = 1
left join guardians on guardians.customer_id = customers.customer_id
