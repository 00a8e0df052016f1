-- One row per person assigned to an arm of an experiment, and whether the person did what was asked for in time.
with

experiments as (
    select * from {{ ref('stg_experiments') }}
),

leads as (
    select * from {{ ref('int_lead') }}
),

learners as (
    select * from {{ ref('stg_learners') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

customers as (
    select * from {{ ref('int_customer_home') }}
),

named as (
    select
        assignments.experiment_assignment_id,
        assignments.experiment_id,
        registry.customer_id,
        assignments.lead_id,
        -- A lead that is linked to no learner stands for a person of its own.
        coalesce(registry.customer_id, 'lead:' || assignments.lead_id) as person_id,
        coalesce(learners.campus_id, leads.campus_id) as campus_id,
        not coalesce(leads.is_test, false) as is_reportable,
        assignments.arm,
        assignments.assigned_on,
        assignments.assigned_at,
        {{ once('assignments.responded_on', 'assignments.responded_on') }} as responded_on
    from {{ ref('stg_experiment_assignments') }} as assignments
    left join leads on leads.lead_id = assignments.lead_id
    left join learners on learners.learner_id = assignments.learner_id
    left join registry on registry.learner_id = coalesce(learners.learner_id, leads.learner_id)
    where
        assignments.assigned_on <= {{ as_of() }}
        and coalesce(learners.learner_id, leads.lead_id) is not null
),

tried as (
    select
        coalesce(customer_id, 'lead:' || lead_id) as person_id,
        scheduled_on as done_on
    from {{ ref('fct_trial') }}
    where status = 'attended'
),

bought as (
    select
        customer_id as person_id,
        purchased_on as done_on
    from {{ ref('fct_order') }}
    where purchased_on is not null
),

-- The first day, from the assignment on, on which the person did what the experiment counts.
done as (
    select
        named.experiment_assignment_id,
        min(
            case experiments.metric_code
                when 'responded' then named.responded_on
                when 'trial_attended' then tried.done_on
                when 'purchased' then bought.done_on
            end
        ) as succeeded_on
    from named
    inner join experiments on experiments.experiment_id = named.experiment_id
    left join tried
        on
            tried.person_id = named.person_id
            and tried.done_on >= named.assigned_on
            and experiments.metric_code = 'trial_attended'
    left join bought
        on
            bought.person_id = named.person_id
            and bought.done_on >= named.assigned_on
            and experiments.metric_code = 'purchased'
    group by named.experiment_assignment_id
)

select
    named.experiment_assignment_id,
    named.experiment_id,
    named.person_id,
    named.customer_id,
    named.lead_id,
    named.campus_id,
    named.arm,
    named.is_reportable and coalesce(customers.is_reportable, true) as is_reportable,
    named.assigned_on,
    named.assigned_at,
    {{ add_days('named.assigned_on', 'experiments.window_days') }} as matures_on,
    case
        when done.succeeded_on <= {{ add_days('named.assigned_on', 'experiments.window_days') }} then done.succeeded_on
    end as succeeded_on
from named
inner join experiments on experiments.experiment_id = named.experiment_id
inner join done on done.experiment_assignment_id = named.experiment_assignment_id
left join customers on customers.customer_id = named.customer_id
