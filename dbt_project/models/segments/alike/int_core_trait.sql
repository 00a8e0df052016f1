-- One row per customer or open enquiry, dimension and value: what was known of the person at the beginning.
with

customers as (
    select * from {{ ref('dim_customer') }}
    where is_reportable
),

scores as (
    select * from {{ ref('int_value_score') }}
    where valuation = 'now'
),

leads as (
    select * from {{ ref('fct_lead') }}
),

journeys as (
    select * from {{ ref('int_lead_journey') }}
),

attributes as (
    select * from {{ ref('dim_customer_history') }}
    where version_no = 1
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
    from {{ ref('fct_enrolment') }} as enrolments
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    group by enrolments.customer_id, courses.subject
),

persons as (
    select
        scores.customer_id as person_id,
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
    union all
    -- Enquiries that name no learner yet.
    select
        journeys.person_id,
        journeys.customer_id,
        journeys.campus_id,
        'prospective' as phase_code,
        'prospect' as stage_code,
        false as is_core,
        contacts.region as area,
        null as school,
        contacts.employer_group,
        leads.learner_grade as grade,
        journeys.channel_code as channel
    from journeys
    inner join leads on leads.lead_id = journeys.lead_id
    left join contacts on contacts.lead_id = journeys.lead_id
    where journeys.customer_id is null
),

wished as (
    select
        coalesce(leads.customer_id, 'lead:' || leads.lead_id) as person_id,
        leads.subject_interest as subject
    from leads
    where leads.subject_interest is not null
    group by coalesce(leads.customer_id, 'lead:' || leads.lead_id), leads.subject_interest
),

traits as (
    {% for dimension in ['area', 'school', 'employer_group', 'grade', 'channel'] %}
        select
            person_id,
            '{{ dimension }}' as dimension,
            {{ dimension }} as trait
        from persons
        where {{ dimension }} is not null
        union all
    {% endfor %}
    -- Of a customer the subjects taken; of somebody who has taken none yet those asked for.
    select
        persons.person_id,
        'subject' as dimension,
        coalesce(subjects.subject, wished.subject) as trait
    from persons
    left join subjects on subjects.customer_id = persons.customer_id
    left join wished
        on
            wished.person_id = persons.person_id
            and subjects.customer_id is null
    where coalesce(subjects.subject, wished.subject) is not null
)

select
    persons.person_id,
    persons.customer_id,
    persons.campus_id,
    persons.phase_code,
    persons.stage_code,
    persons.is_core,
    traits.dimension,
    traits.trait
from persons
inner join traits on traits.person_id = persons.person_id
