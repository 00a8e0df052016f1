-- One row per customer for whom a deadline or a look back lies ahead of the day of the build: the first such day.
with

changed as (
    select * from {{ ref('changed_customer') }}
),

days as (
    select
        steps.customer_id,
        {{ add_days('steps.due_on', 1) }} as due_on
    from changed
    inner join {{ ref('fct_process_step') }} as steps on steps.customer_id = changed.customer_id
    where steps.left_on is null
    union all
    select
        lines.customer_id,
        {{ renewal_asked_on() }} as due_on
    from changed
    inner join {{ ref('dim_customer') }} as customers on customers.customer_id = changed.customer_id
    {{ signup_rules_of('customers.campus_id') }}
    inner join {{ ref('fct_order_line') }} as lines on lines.customer_id = changed.customer_id
    where
        not lines.is_gift
        and lines.granted_on <= lines.ends_on
    union all
    select
        interventions.customer_id,
        interventions.matures_on as due_on
    from changed
    inner join {{ ref('fct_intervention') }} as interventions on interventions.customer_id = changed.customer_id
    union all
    select
        interviews.customer_id,
        interviews.matures_on as due_on
    from changed
    inner join {{ ref('fct_exit_interview') }} as interviews on interviews.customer_id = changed.customer_id
)

select
    customer_id,
    min(due_on) as due_on
from days
where due_on > {{ as_of() }}
group by customer_id
