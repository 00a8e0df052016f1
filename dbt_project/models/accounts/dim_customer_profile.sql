-- One row per customer: what is known in four groups, how complete and how fresh, beside the guardian who decides.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
{% set told_kinds = {
    'personality': 'personality', 'taboo': 'taboos', 'interest': 'told_interests',
    'learning_preference': 'told_learning_preference'
} %}
with

changed as (
    select * from {{ ref('changed_profile') }}
),

customers as (
    select dim_customer.*
    from changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.customer_id = changed.customer_id
),

accounts as (
    select dim_account.*
    from {{ ref('dim_account') }} as dim_account
    where dim_account.account_id in (select customers.account_id from customers)
),

members as (
    select dim_account_member.*
    from accounts
    inner join {{ ref('dim_account_member') }} as dim_account_member
        on dim_account_member.account_id = accounts.account_id
),

registry as (
    select
        registry.learner_id,
        registry.customer_id
    from changed
    inner join {{ ref('customer_registry') }} as registry on registry.customer_id = changed.customer_id
),

rules as (
    select
        max(case when fact_group = 'basic' then stale_after_days end) as basic_days,
        max(case when fact_group = 'background' then stale_after_days end) as background_days,
        max(case when fact_group = 'characteristic' then stale_after_days end) as characteristic_days,
        max(case when fact_group = 'consumption' then stale_after_days end) as consumption_days
    from {{ ref('profile_rules') }}
),

-- The day on which the systems last wrote what is known of the person: of a later version nothing is known.
recorded as (
    select
        registry.customer_id,
        {{ day_of('learners.updated_at') }} as confirmed_on
    from registry
    inner join {{ ref('stg_learners') }} as learners on learners.learner_id = registry.learner_id
    where {{ day_of('learners.updated_at') }} <= {{ as_of() }}
    union all
    select
        registry.customer_id,
        leads.created_on as confirmed_on
    from registry
    inner join {{ ref('int_lead') }} as leads on leads.learner_id = registry.learner_id
    where leads.created_on <= {{ as_of() }}
),

basics as (
    select
        customer_id,
        max(confirmed_on) as confirmed_on
    from recorded
    group by customer_id
),

current_class as (
    select
        enrolments.customer_id,
        enrolments.class_id,
        row_number() over (
            partition by enrolments.customer_id order by enrolments.enrolled_on desc, enrolments.enrolment_id desc
        ) as place
    from changed
    inner join {{ ref('fct_enrolment') }} as enrolments on enrolments.customer_id = changed.customer_id
    where
        enrolments.class_id is not null
        and enrolments.status = 'active'
),

-- Of a household the one who decides is asked first, whoever else has told it fills the gaps.
background as (
    select
        members.account_id,
        max(contacts.income_band) as income_band,
        coalesce(max(case when members.is_decision_maker then contacts.occupation end), max(contacts.occupation))
            as occupation,
        coalesce(max(case when members.is_decision_maker then contacts.education end), max(contacts.education))
            as education,
        max({{ day_of('contacts.updated_at') }}) as confirmed_on
    from members
    inner join {{ ref('stg_contacts') }} as contacts on contacts.contact_id = members.contact_id
    where
        {{ day_of('contacts.updated_at') }} <= {{ as_of() }}
        and coalesce(contacts.income_band, contacts.occupation, contacts.education) is not null
    group by members.account_id
),

asked_subjects as (
    select
        leads.customer_id,
        leads.subject_interest as subject,
        max(leads.created_on) as told_on
    from changed
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = changed.customer_id
    where leads.subject_interest is not null
    group by leads.customer_id, leads.subject_interest
    union all
    select
        enrolments.customer_id,
        courses.subject,
        max(enrolments.enrolled_on) as told_on
    from changed
    inner join {{ ref('fct_enrolment') }} as enrolments on enrolments.customer_id = changed.customer_id
    inner join {{ ref('dim_course') }} as courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    group by enrolments.customer_id, courses.subject
),

subjects as (
    select
        customer_id,
        subject,
        max(told_on) as told_on
    from asked_subjects
    group by customer_id, subject
),

interests as (
    select
        customer_id,
        {{ list_of('subject', 'subject', 'true') }} as interests,
        max(told_on) as confirmed_on
    from subjects
    group by customer_id
),

-- Of the last half year: in class or in the app, and at what time of the day.
studied as (
    select
        lessons.customer_id,
        count(*) as lessons,
        0 as study_days,
        count(case when extract(hour from {{ local_time('lessons.lesson_at') }}) < 12 then 1 end) as mornings,
        count(case when extract(hour from {{ local_time('lessons.lesson_at') }}) between 12 and 17 then 1 end)
            as afternoons,
        max(lessons.lesson_on) as studied_on
    from changed
    inner join {{ ref('fct_attendance') }} as lessons on lessons.customer_id = changed.customer_id
    where
        lessons.outcome_class = 'attended'
        and lessons.lesson_on > {{ add_days(as_of(), -180) }}
        and lessons.lesson_on <= {{ as_of() }}
    group by lessons.customer_id
    union all
    select
        learning_days.customer_id,
        0 as lessons,
        count(*) as study_days,
        0 as mornings,
        0 as afternoons,
        max(learning_days.learning_on) as studied_on
    from changed
    inner join {{ ref('fct_learning_day') }} as learning_days on learning_days.customer_id = changed.customer_id
    where
        learning_days.is_study_day
        and learning_days.learning_on > {{ add_days(as_of(), -180) }}
    group by learning_days.customer_id
),

preferences as (
    select
        customer_id,
        case
            when sum(lessons) >= 3 * sum(study_days) then 'class'
            when sum(study_days) >= 3 * sum(lessons) then 'self_study'
            else 'both'
        end as learning_preference,
        case
            when sum(lessons) = 0 then null
            when sum(mornings) * 2 > sum(lessons) then 'morning'
            when sum(afternoons) * 2 > sum(lessons) then 'afternoon'
            when (sum(mornings) + sum(afternoons)) * 2 < sum(lessons) then 'evening'
            else 'any'
        end as lesson_part_of_day,
        max(studied_on) as studied_on
    from studied
    group by customer_id
),

-- What was told of the person, and holds.
told as (
    select
        traits.customer_id,
        {% for kind, name in told_kinds.items() %}
            {{ list_of('traits.code', 'traits.code', "traits.kind = '" ~ kind ~ "'") }} as {{ name }},
        {% endfor %}
        max(traits.last_noted_on) as noted_on
    from changed
    inner join {{ ref('int_trait_stretch') }} as traits on traits.customer_id = changed.customer_id
    where traits.valid_to is null
    group by traits.customer_id
),

consumption as (
    select
        orders.customer_id,
        cast(count(*) as integer) as purchases,
        max(orders.purchased_on) as last_purchase_on
    from changed
    inner join {{ ref('fct_order') }} as orders on orders.customer_id = changed.customer_id
    where orders.purchased_on is not null
    group by orders.customer_id
),

-- School years begin in September. A grade goes up with them from the year in which it was noted.
aged as (
    select
        customers.*,
        basics.confirmed_on,
        cast(extract(year from {{ as_of() }}) as integer) - customers.birth_year as age_years,
        case
            when customers.grade like 'K%' then 0
            when customers.grade like 'G%' then cast(substring(customers.grade from 2) as integer)
        end
        + cast(extract(year from {{ add_days(as_of(), 122) }}) as integer)
        - cast(extract(year from {{ add_days('basics.confirmed_on', 122) }}) as integer) as grade_number
    from customers
    inner join basics on basics.customer_id = customers.customer_id
),

staged as (
    select
        aged.*,
        case
            when learner_band = 'university' then 'university'
            when learner_band = 'adult' then 'work'
            when grade_number <= 0 then '3-6'
            when grade_number <= 9 then '7-15'
            when grade_number <= 12 then '16-18'
            when grade_number <= 16 then 'university'
            when grade_number > 16 then 'work'
            when age_years <= 6 then '3-6'
            when age_years <= 15 then '7-15'
            when age_years <= 18 then '16-18'
            when age_years <= 22 then 'university'
            when age_years > 22 then 'work'
        end as life_stage,
        case
            when learner_band in ('university', 'adult') then learner_band
            when grade_number <= 0 then 'preschool'
            when grade_number <= 6 then 'primary'
            when grade_number <= 9 then 'junior'
            when grade_number <= 12 then 'senior'
            when grade_number <= 16 then 'university'
            when grade_number > 16 then 'adult'
            when age_years <= 6 then 'preschool'
            when age_years <= 12 then 'primary'
            when age_years <= 15 then 'junior'
            when age_years <= 18 then 'senior'
            when age_years <= 22 then 'university'
            when age_years > 22 then 'adult'
        end as school_level
    from aged
),

joined as (
    select
        staged.customer_id,
        staged.account_id,
        staged.campus_id,
        staged.age_years,
        staged.life_stage,
        staged.school_level,
        staged.grade,
        staged.school,
        current_class.class_id,
        staged.region,
        staged.confirmed_on as basic_confirmed_on,
        accounts.customers as household_customers,
        background.income_band,
        background.occupation as guardian_occupation,
        background.education as guardian_education,
        background.confirmed_on as background_confirmed_on,
        interests.interests,
        preferences.learning_preference,
        preferences.lesson_part_of_day,
        {% for name in told_kinds.values() %}
            told.{{ name }},
        {% endfor %}
        greatest(interests.confirmed_on, preferences.studied_on, told.noted_on) as characteristic_confirmed_on,
        coalesce(consumption.purchases, 0) as purchases,
        consumption.last_purchase_on,
        accounts.decision_maker_contact_id,
        accounts.decision_maker_relation,
        accounts.led_by,
        accounts.preferred_channel as guardian_channel
    from staged
    left join accounts on accounts.account_id = staged.account_id
    left join current_class
        on
            current_class.customer_id = staged.customer_id
            and current_class.place = 1
    left join background on background.account_id = staged.account_id
    left join interests on interests.customer_id = staged.customer_id
    left join preferences on preferences.customer_id = staged.customer_id
    left join told on told.customer_id = staged.customer_id
    left join consumption on consumption.customer_id = staged.customer_id
)

select
    joined.customer_id,
    joined.account_id,
    joined.campus_id,
    joined.age_years,
    joined.life_stage,
    joined.school_level,
    joined.grade,
    joined.school,
    joined.class_id,
    joined.region,
    cast(
        (
            {% for fact in ['age_years', 'grade', 'school', 'class_id', 'region'] %}
                case when joined.{{ fact }} is not null then 1 else 0 end {{ '+' if not loop.last }}
            {% endfor %}
        ) / 5.0 as numeric(3, 2)
    ) as basic_completeness,
    joined.basic_confirmed_on,
    coalesce({{ add_days('joined.basic_confirmed_on', 'rules.basic_days') }} < {{ as_of() }}, true) as is_basic_stale,
    joined.household_customers,
    joined.income_band,
    joined.guardian_occupation,
    joined.guardian_education,
    cast(
        (
            {% for fact in ['income_band', 'guardian_occupation', 'guardian_education'] %}
                case when joined.{{ fact }} is not null then 1 else 0 end {{ '+' if not loop.last }}
            {% endfor %}
        ) / 3.0 as numeric(3, 2)
    ) as background_completeness,
    joined.background_confirmed_on,
    coalesce({{ add_days('joined.background_confirmed_on', 'rules.background_days') }} < {{ as_of() }}, true)
        as is_background_stale,
    joined.personality,
    joined.taboos,
    joined.interests,
    joined.told_interests,
    joined.learning_preference,
    joined.told_learning_preference,
    joined.lesson_part_of_day,
    -- An interest or a preference is known if it was told or shows.
    cast(
        (
            {% for facts in [
                ['personality'], ['taboos'], ['interests', 'told_interests'],
                ['learning_preference', 'told_learning_preference'], ['lesson_part_of_day']
            ] %}
                case
                    when coalesce({{ 'joined.' ~ facts | join(', joined.') }}) is not null then 1
                    else 0
                end {{ '+' if not loop.last }}
            {% endfor %}
        ) / 5.0 as numeric(3, 2)
    ) as characteristic_completeness,
    joined.characteristic_confirmed_on,
    coalesce({{ add_days('joined.characteristic_confirmed_on', 'rules.characteristic_days') }} < {{ as_of() }}, true)
        as is_characteristic_stale,
    joined.purchases,
    joined.last_purchase_on,
    coalesce({{ add_days('joined.last_purchase_on', 'rules.consumption_days') }} < {{ as_of() }}, true)
        as is_consumption_stale,
    joined.decision_maker_contact_id,
    joined.decision_maker_relation,
    joined.led_by,
    joined.guardian_channel
from joined
cross join rules
