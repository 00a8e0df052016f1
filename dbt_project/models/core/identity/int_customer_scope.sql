-- One row per learner (or lead of a prospect) of a customer that this build computes anew and that still stands in a
-- source.
with

registry as (
    select * from {{ ref('customer_registry') }}
),

changed as (
    select * from {{ ref('changed_customer') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

in_scope as (
    select
        registry.learner_id,
        registry.customer_id,
        learners.campus_id,
        learners.learner_id is not null as is_in_teaching
    from changed
    inner join registry on registry.customer_id = changed.customer_id
    left join learners on learners.learner_id = registry.learner_id
),

-- A learner known to the other systems only (no teaching system, or the learner's row was deleted there) is at
-- home where the first enrolment, order or lead was.
mentions as (
    select
        in_scope.learner_id,
        enrolments.campus_id,
        enrolments.enrolled_on as mentioned_on,
        1 as place,
        enrolments.enrolment_id as mention_id
    from in_scope
    inner join {{ ref('stg_enrolments') }} as enrolments on enrolments.learner_id = in_scope.learner_id
    where not in_scope.is_in_teaching
    union all
    select
        in_scope.learner_id,
        orders.campus_id,
        orders.placed_on as mentioned_on,
        2 as place,
        orders.order_id as mention_id
    from in_scope
    inner join {{ ref('stg_orders') }} as orders on orders.learner_id = in_scope.learner_id
    where not in_scope.is_in_teaching
    union all
    select
        in_scope.learner_id,
        leads.campus_id,
        leads.created_on as mentioned_on,
        3 as place,
        leads.lead_id as mention_id
    from in_scope
    inner join {{ ref('int_lead') }} as leads on leads.learner_id = in_scope.learner_id
    where not in_scope.is_in_teaching
),

first_mentions as (
    select
        learner_id,
        campus_id,
        row_number() over (partition by learner_id order by place, mentioned_on, mention_id) as mention_no
    from mentions
),

standing as (
    select
        in_scope.learner_id,
        in_scope.customer_id,
        coalesce(in_scope.campus_id, first_mentions.campus_id) as campus_id,
        in_scope.is_in_teaching,
        -- Of several records of one person the first learner of the teaching system speaks for all.
        row_number() over (
            partition by in_scope.customer_id
            order by in_scope.is_in_teaching desc, length(in_scope.learner_id), in_scope.learner_id
        ) as place
    from in_scope
    left join first_mentions
        on
            first_mentions.learner_id = in_scope.learner_id
            and first_mentions.mention_no = 1
    where
        in_scope.is_in_teaching
        or first_mentions.learner_id is not null
)

select
    learner_id,
    customer_id,
    max(case when place = 1 then campus_id end) over (partition by customer_id) as campus_id,
    is_in_teaching,
    place = 1 as is_main
from standing
