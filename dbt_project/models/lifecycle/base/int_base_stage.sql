-- One row per customer and stretch of days in one base stage, [valid_from, valid_to), with reason and cause of its
-- beginning. Stretches after the day of the build are those that time alone would bring.
with

customers as (
    select * from {{ ref('int_first_fact') }}
),

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

first_runs as (
    select * from {{ ref('int_active_run') }}
    where run_no = 1
),

milestones as (
    select * from {{ ref('int_run_milestone') }}
),

growth_causes as (
    select * from {{ ref('int_study_cause') }}
),

mature_causes as (
    select * from {{ ref('int_study_cause') }}
),

run_days as (
    select
        runs.customer_id,
        runs.run_no,
        runs.started_on,
        {{ add_days('runs.ended_on', 1) }} as left_on,
        {{ add_days('runs.ended_on', '1 + rules.dormant_after_days') }} as dormant_on,
        coalesce(
            lead(runs.started_on) over (partition by runs.customer_id order by runs.run_no),
            {{ far_day() }}
        ) as next_started_on,
        runs.start_cause_table,
        runs.start_cause_id,
        runs.end_reason,
        runs.end_cause_table,
        runs.end_cause_id,
        runs.rule_version,
        case when runs.run_no = 1 then 'first_purchase' else 'won_back' end as start_reason,
        milestones.growth_reason,
        coalesce(growth_causes.cause_table, milestones.growth_cause_table) as growth_cause_table,
        coalesce(growth_causes.cause_id, milestones.growth_cause_id) as growth_cause_id,
        coalesce(mature_causes.cause_table, milestones.mature_cause_table) as mature_cause_table,
        coalesce(mature_causes.cause_id, milestones.mature_cause_id) as mature_cause_id,
        coalesce(milestones.growth_on, {{ add_days('runs.ended_on', 1) }}) as growth_on,
        coalesce(milestones.mature_on, {{ add_days('runs.ended_on', 1) }}) as mature_on
    from runs
    inner join rules on rules.campus_id = runs.campus_id
    inner join milestones
        on
            milestones.customer_id = runs.customer_id
            and milestones.run_no = runs.run_no
    left join growth_causes
        on
            growth_causes.customer_id = milestones.customer_id
            and growth_causes.study_on = milestones.growth_on
            and milestones.growth_cause_table = 'study'
    left join mature_causes
        on
            mature_causes.customer_id = milestones.customer_id
            and mature_causes.study_on = milestones.mature_on
            and milestones.mature_cause_table = 'study'
),

stages as (
    select
        customers.customer_id,
        'prospect' as base_stage,
        0 as run_no,
        customers.first_contact_on as valid_from,
        coalesce(first_runs.started_on, {{ far_day() }}) as valid_to,
        'first_contact' as reason_code,
        customers.cause_table,
        customers.cause_id,
        rules.rule_version
    from customers
    left join first_runs on first_runs.customer_id = customers.customer_id
    inner join rules on rules.campus_id = coalesce(customers.campus_id, '')
    union all
    select
        customer_id,
        'onboarding' as base_stage,
        run_no,
        started_on as valid_from,
        growth_on as valid_to,
        start_reason as reason_code,
        start_cause_table as cause_table,
        start_cause_id as cause_id,
        rule_version
    from run_days
    where run_no = 1
    union all
    -- What a run begins with, it begins with by the purchase.
    select
        customer_id,
        'growth' as base_stage,
        run_no,
        growth_on as valid_from,
        mature_on as valid_to,
        case when growth_on = started_on then start_reason else growth_reason end as reason_code,
        case when growth_on = started_on then start_cause_table else growth_cause_table end as cause_table,
        case when growth_on = started_on then start_cause_id else growth_cause_id end as cause_id,
        rule_version
    from run_days
    union all
    select
        customer_id,
        'mature' as base_stage,
        run_no,
        mature_on as valid_from,
        left_on as valid_to,
        case when mature_on = started_on then start_reason else 'maturity_reached' end as reason_code,
        case when mature_on = started_on then start_cause_table else mature_cause_table end as cause_table,
        case when mature_on = started_on then start_cause_id else mature_cause_id end as cause_id,
        rule_version
    from run_days
    union all
    select
        customer_id,
        'terminated' as base_stage,
        run_no,
        left_on as valid_from,
        least(dormant_on, next_started_on) as valid_to,
        end_reason as reason_code,
        end_cause_table as cause_table,
        end_cause_id as cause_id,
        rule_version
    from run_days
    union all
    select
        customer_id,
        'dormant' as base_stage,
        run_no,
        dormant_on as valid_from,
        next_started_on as valid_to,
        -- Only rules that know no terminated days lead here straight from a run.
        case when dormant_on = left_on then end_reason else 'dormancy' end as reason_code,
        end_cause_table as cause_table,
        end_cause_id as cause_id,
        rule_version
    from run_days
)

select
    customer_id,
    base_stage,
    run_no,
    valid_from,
    valid_to,
    reason_code,
    cause_table,
    cause_id,
    rule_version,
    cast(row_number() over (partition by customer_id order by valid_from) as integer) as stage_no,
    lag(base_stage) over (partition by customer_id order by valid_from) as from_stage
from stages
where valid_from < valid_to
