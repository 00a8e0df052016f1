-- One row per customer, dimension and value: what was known of the person at the beginning. Who has only enquired is a
-- customer as well, a prospect.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_valuation') }}
),

customers as (
    select customers.*
    from changed
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = changed.customer_id
    where customers.is_reportable
),

scores as (
    select scores.*
    from changed
    inner join {{ ref('int_value_score') }} as scores on scores.customer_id = changed.customer_id
    where scores.valuation = 'now'
),

leads as (
    select leads.*
    from changed
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = changed.customer_id
),

journeys as (
    select journeys.*
    from changed
    inner join {{ ref('int_lead_journey') }} as journeys on journeys.customer_id = changed.customer_id
),

attributes as (
    select attributes.*
    from changed
    inner join {{ ref('dim_customer_history') }} as attributes on attributes.customer_id = changed.customer_id
    where attributes.version_no = 1
),

-- Who asked: a company, else the group of trades that the first contact works in.
contacts as (
    select
        leads.lead_id,
        leads.customer_id,
        contacts.region,
        case when contacts.relation = 'employer' then 'employer' else contacts.occupation end as employer_group,
        row_number() over (partition by leads.customer_id order by leads.created_at, leads.lead_id) as lead_no
    from leads
    inner join {{ ref('stg_leads') }} as recorded on recorded.lead_id = leads.lead_id
    inner join {{ ref('stg_contacts') }} as contacts on contacts.contact_id = recorded.contact_id
),

subjects as (
    select
        enrolments.customer_id,
        courses.subject
    from changed
    inner join {{ ref('fct_enrolment') }} as enrolments on enrolments.customer_id = changed.customer_id
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    group by enrolments.customer_id, courses.subject
),

persons as (
    select
        scores.customer_id,
        scores.campus_id,
        scores.phase_code,
        customers.current_stage as stage_code,
        scores.value_segment = 'high_high' and scores.phase_code = 'existing' as is_core,
        coalesce(customers.region, contacts.region) as area,
        customers.school,
        contacts.employer_group,
        -- At the first contact: today's grade would tell how long somebody has been here.
        coalesce(attributes.grade, customers.grade) as grade,
        coalesce(journeys.channel_code, customers.acquisition_channel) as channel
    from scores
    inner join customers on customers.customer_id = scores.customer_id
    left join attributes on attributes.customer_id = scores.customer_id
    left join journeys on journeys.customer_id = scores.customer_id
    left join contacts
        on
            contacts.customer_id = scores.customer_id
            and contacts.lead_no = 1
),

wished as (
    select
        customer_id,
        subject_interest as subject
    from leads
    where subject_interest is not null
    group by customer_id, subject_interest
),

traits as (
    {% for dimension in ['area', 'school', 'employer_group', 'grade', 'channel'] %}
        select
            customer_id,
            '{{ dimension }}' as dimension,
            {{ dimension }} as trait
        from persons
        where {{ dimension }} is not null
        union all
    {% endfor %}
    -- Of a customer the subjects taken; of somebody who has taken none yet those asked for.
    select
        persons.customer_id,
        'subject' as dimension,
        coalesce(subjects.subject, wished.subject) as trait
    from persons
    left join subjects on subjects.customer_id = persons.customer_id
    left join wished
        on
            wished.customer_id = persons.customer_id
            and subjects.customer_id is null
    where coalesce(subjects.subject, wished.subject) is not null
)

select
    persons.customer_id as person_id,
    persons.customer_id,
    persons.campus_id,
    persons.phase_code,
    persons.stage_code,
    persons.is_core,
    traits.dimension,
    traits.trait
from persons
inner join traits on traits.customer_id = persons.customer_id
