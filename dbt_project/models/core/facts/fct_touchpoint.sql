-- One row per contact between the institution and a prospect or a family.
with

leads as (
    select * from {{ ref('int_lead') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

scope as (
    select * from {{ ref('int_customer_scope') }}
),

changed_leads as (
    select * from {{ ref('changed_lead') }}
),

changed_customers as (
    select * from {{ ref('changed_customer') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

-- The staging view is named in each place: read through one expression, it would be read whole.
of_changed as (
    select touchpoints.touchpoint_id
    from scope
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.learner_id = scope.learner_id
    where scope.is_in_teaching
    -- A touchpoint may be found by its learner and by its lead.
    union
    select touchpoints.touchpoint_id
    from changed_leads
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.lead_id = changed_leads.lead_id
),

of_changed_named as (
    select
        touchpoints.touchpoint_id,
        registry.customer_id,
        touchpoints.lead_id,
        coalesce(leads.campus_id, learners.campus_id) as campus_id,
        touchpoints.advisor_id,
        touchpoints.channel,
        touchpoints.direction,
        touchpoints.outcome,
        touchpoints.sentiment,
        touchpoints.occurred_on,
        touchpoints.occurred_at
    from of_changed
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.touchpoint_id = of_changed.touchpoint_id
    left join leads on leads.lead_id = touchpoints.lead_id
    left join learners on learners.learner_id = touchpoints.learner_id
    left join registry on registry.learner_id = coalesce(learners.learner_id, leads.learner_id)
    where
        touchpoints.occurred_on <= {{ as_of() }}
        and coalesce(learners.learner_id, leads.lead_id) is not null
),

-- A contact that names the lead of one customer and the learner of another comes along without its trajectory, whose
-- other rows stand in the table already.
of_others as (
    select customer_id
    from of_changed_named
    where customer_id is not null
    except
    select customer_id from changed_customers
),

others as (
    {% if is_incremental() %}
        select
            touchpoints.touchpoint_id,
            touchpoints.customer_id,
            touchpoints.direction,
            touchpoints.occurred_at
        from of_others
        inner join {{ this }} as touchpoints on touchpoints.customer_id = of_others.customer_id
        left join of_changed on of_changed.touchpoint_id = touchpoints.touchpoint_id
        where of_changed.touchpoint_id is null
    {% else %}
        select
            named.touchpoint_id,
            named.customer_id,
            named.direction,
            named.occurred_at
        from of_others
        inner join of_changed_named as named on named.customer_id = of_others.customer_id
        where false
    {% endif %}
),

trajectories as (
    select
        touchpoint_id,
        -- Of a customer all leads are one trajectory.
        case when customer_id is not null then 'customer:' || customer_id else 'lead:' || lead_id end as trajectory_id,
        direction,
        occurred_at
    from of_changed_named
    union all
    select
        touchpoint_id,
        'customer:' || customer_id as trajectory_id,
        direction,
        occurred_at
    from others
),

numbered as (
    select
        trajectories.*,
        row_number() over (partition by trajectory_id order by occurred_at, touchpoint_id) as touch_no,
        -- An outgoing contact and those before it, back to the outgoing one before, have the same number.
        coalesce(
            sum(case when direction = 'out' then 1 else 0 end) over (
                partition by trajectory_id order by occurred_at, touchpoint_id
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as answer_no
    from trajectories
),

answered as (
    select
        numbered.*,
        -- What is answered is the first of the contacts that came in since we last spoke.
        min(case when direction = 'in' then occurred_at end) over (partition by trajectory_id, answer_no) as asked_at
    from numbered
)

select
    named.touchpoint_id,
    named.customer_id,
    named.lead_id,
    named.campus_id,
    answered.trajectory_id,
    cast(answered.touch_no as integer) as touch_no,
    named.advisor_id,
    case when named.advisor_id is null then 'automatic' else 'advisor' end as handled_by,
    named.channel,
    named.direction,
    named.outcome,
    named.sentiment,
    cast(
        case
            when named.direction = 'out' and answered.asked_at is not null
                then {{ rounded_hours('answered.asked_at', 'named.occurred_at') }}
        end as numeric(12, 2)
    ) as response_hours,
    named.occurred_on,
    named.occurred_at
from of_changed_named as named
inner join answered on answered.touchpoint_id = named.touchpoint_id
