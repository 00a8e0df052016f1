-- One row per customer that this build computes anew.
with

registry as (
    select * from {{ ref('customer_registry') }}
),

{% if is_incremental_build() %}

    touched as (
        select
            kind,
            key
        from {{ source('meta', 'touched') }}
        where load_id > {{ var('since_load_id') }}
        -- A key is touched by several loads.
        group by kind, key
    ),

    changing_leads as (
        select key as lead_id
        from touched
        where kind = 'lead'
        {% set lead_due = previous('lead_due') %}
        {% if lead_due %}
            union
            select lead_id
            from {{ lead_due }}
            where due_on <= {{ as_of() }}
        {% endif %}
    ),

    touched_learners as (
        select key as learner_id
        from touched
        where kind = 'learner'
        union
        -- The last learner of a lead, of one that is gone too; and what is known of the lead alone.
        select identified.learner_id
        from changing_leads
        inner join {{ source('identity', 'identity_lead') }} as identified
            on identified.lead_id = changing_leads.lead_id
        union
        select 'lead:' || lead_id from changing_leads
        union
        select touchpoints.learner_id
        from changing_leads
        inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.lead_id = changing_leads.lead_id
        union
        -- The family that referred the lead carries the referral.
        select referrals.referrer_learner_id
        from changing_leads
        inner join {{ ref('stg_referrals') }} as referrals on referrals.referred_lead_id = changing_leads.lead_id
        union
        select leads.learner_id
        from touched
        inner join {{ ref('int_lead') }} as leads on leads.contact_id = touched.key
        where touched.kind = 'contact'
        union
        select orders.learner_id
        from touched
        inner join {{ ref('stg_orders') }} as orders on orders.order_id = touched.key
        where touched.kind = 'order'
        union
        select attendance.learner_id
        from touched
        inner join {{ ref('stg_attendance') }} as attendance on attendance.lesson_id = touched.key
        where touched.kind = 'lesson'
        union
        -- Whether a course is the last of its kind decides what completing it means.
        select enrolments.learner_id
        from {{ ref('stg_courses') }} as courses
        inner join {{ ref('stg_enrolments') }} as enrolments on enrolments.course_id = courses.course_id
        where courses._load_id > {{ var('since_load_id') }}
        union
        -- And a course that is gone is nobody's subject.
        select enrolments.learner_id
        from touched
        inner join {{ ref('stg_enrolments') }} as enrolments on enrolments.course_id = touched.key
        where touched.kind = 'course'
    ),

    -- Records were grouped anew; an id that was folded into another has nothing left, and its rows go.
    regrouped as (
        select customer_id
        from {{ source('identity', 'identity_change') }}
        where load_id > {{ var('since_load_id') }}
        -- Several runs of identity may change one customer.
        group by customer_id
    ),

    reasons as (
        select
            customer_id,
            'regrouped' as reason
        from regrouped
        union all
        -- The family that referred one of them names the customer.
        select
            referrers.customer_id,
            'regrouped' as reason
        from regrouped
        inner join registry on registry.customer_id = regrouped.customer_id
        inner join {{ ref('int_lead') }} as leads on leads.learner_id = registry.learner_id
        inner join {{ ref('stg_referrals') }} as referrals on referrals.referred_lead_id = leads.lead_id
        inner join registry as referrers on referrers.learner_id = referrals.referrer_learner_id
        union all
        select
            registry.customer_id,
            'touched' as reason
        from touched_learners
        inner join registry on registry.learner_id = touched_learners.learner_id
        union all
        -- A customer who was erased is in no registry any more, and leaves every table.
        select
            key as customer_id,
            'erased' as reason
        from touched
        where kind = 'customer'
        {% set spans = previous('fct_lifecycle_span') %}
        {% if spans %}
            union all
            -- Closed days decide whether a week of little study says anything; who was in a run then is looked at
            -- again, at whatever campus, since the rules of a run may be those of another campus.
            select
                spans.customer_id,
                'touched' as reason
            from {{ ref('changed_closed_week') }} as weeks
            inner join {{ spans }} as spans
                on
                    spans.valid_from < {{ add_days('weeks.week_on', 7) }}
                    and (spans.valid_to is null or spans.valid_to > weeks.week_on)
            where spans.run_no > 0
        {% endif %}
        {% for listing in ['customer_due', 'lifecycle_due', 'care_due'] %}
            {% set due = previous(listing) %}
            {% if due %}
                union all
                -- Time alone brings a change: what is due by now was computed before it came.
                select
                    customer_id,
                    'due' as reason
                from {{ due }}
                where due_on <= {{ as_of() }}
            {% endif %}
        {% endfor %}
        {% if previous('changed_customer') %}
            union all
            select
                customer_id,
                'carried' as reason
            from {{ previous('changed_customer') }}
            where {{ is_unpublished('build_id') }}
        {% endif %}
    )

{% else %}

    reasons as (
        select
            customer_id,
            'full build' as reason
        from registry
        -- Several learner ids and leads may be one customer.
        group by customer_id
    )

{% endif %}

select
    customer_id,
    max(reason) as reason,
    '{{ var("build_id") }}' as build_id
from reasons
group by customer_id
