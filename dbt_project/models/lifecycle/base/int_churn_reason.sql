-- One row per run that has ended by the day before the build: why the customer left, told or inferred.
with

runs as (
    select * from {{ ref('int_active_run') }}
    where ended_on < {{ as_of() }}
),

told_runs as (
    select * from {{ ref('int_active_run') }}
    where ended_on < {{ as_of() }}
),

goal_runs as (
    select * from {{ ref('int_active_run') }}
    where ended_on < {{ as_of() }}
),

unhappy_runs as (
    select * from {{ ref('int_active_run') }}
    where ended_on < {{ as_of() }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

exit_reasons as (
    select * from {{ ref('int_lifecycle_exit_reason') }}
    where
        told_on <= {{ as_of() }}
        and reason_code is not null
        -- An interview that found no reason tells nothing.
        and reason_code <> 'unknown'
),

goals_reached as (
    select * from {{ ref('int_lifecycle_goal_reached') }}
),

signals as (
    select * from {{ ref('int_signal_stretch') }}
    where inferred_churn_reason is not null
),

churn_reasons as (
    select * from {{ ref('churn_reason') }}
),

-- The reason nearest to the last day; at a tie the later, then the interview.
told as (
    select
        told_runs.customer_id,
        told_runs.run_no,
        exit_reasons.reason_code,
        row_number() over (
            partition by told_runs.customer_id, told_runs.run_no
            order by
                abs({{ days_between('exit_reasons.told_on', 'told_runs.ended_on') }}),
                exit_reasons.told_on desc,
                exit_reasons.source_table,
                exit_reasons.source_id
        ) as told_place
    from told_runs
    inner join rules on rules.campus_id = told_runs.campus_id
    inner join exit_reasons
        on
            exit_reasons.customer_id = told_runs.customer_id
            and abs({{ days_between('exit_reasons.told_on', 'told_runs.ended_on') }}) <= rules.exit_reason_days
),

goals as (
    select
        goal_runs.customer_id,
        goal_runs.run_no,
        'goal_reached' as churn_reason
    from goal_runs
    inner join goals_reached
        on
            goals_reached.customer_id = goal_runs.customer_id
            and goals_reached.reached_on between goal_runs.started_on and goal_runs.ended_on
    group by goal_runs.customer_id, goal_runs.run_no
),

unhappy as (
    select
        unhappy_runs.customer_id,
        unhappy_runs.run_no,
        min(signals.inferred_churn_reason) as churn_reason
    from unhappy_runs
    inner join signals
        on
            signals.customer_id = unhappy_runs.customer_id
            and signals.run_no = unhappy_runs.run_no
            and signals.closed_on > unhappy_runs.ended_on
    group by unhappy_runs.customer_id, unhappy_runs.run_no
),

reasons as (
    select
        runs.customer_id,
        runs.run_no,
        coalesce(told.reason_code, goals.churn_reason, unhappy.churn_reason, 'unknown') as churn_reason,
        told.reason_code is null as is_churn_reason_inferred
    from runs
    left join told
        on
            told.customer_id = runs.customer_id
            and told.run_no = runs.run_no
            and told.told_place = 1
    left join goals
        on
            goals.customer_id = runs.customer_id
            and goals.run_no = runs.run_no
    left join unhappy
        on
            unhappy.customer_id = runs.customer_id
            and unhappy.run_no = runs.run_no
)

select
    reasons.customer_id,
    reasons.run_no,
    reasons.churn_reason,
    -- A reason that the seed does not know says nothing about the class.
    coalesce(churn_reasons.churn_reason_class, 'unknown') as churn_reason_class,
    reasons.is_churn_reason_inferred
from reasons
left join churn_reasons on churn_reasons.churn_reason = reasons.churn_reason
