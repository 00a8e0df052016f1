-- One row per change in a layer of a customer's lifecycle: base (from stage to stage) or danger (clear or danger).
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

customers as (
    select * from {{ ref('int_first_fact') }}
),

runs as (
    select * from {{ ref('int_active_run') }}
),

base_stages as (
    select * from {{ ref('int_base_stage') }}
    where valid_from <= {{ as_of() }}
),

churn as (
    select * from {{ ref('int_churn_reason') }}
),

entered_danger as (
    select * from {{ ref('int_danger') }}
    where danger_from <= {{ as_of() }}
),

left_danger as (
    select * from {{ ref('int_danger') }}
    where danger_to <= {{ as_of() }}
),

changes as (
    select
        base_stages.customer_id,
        base_stages.run_no,
        base_stages.valid_from as transition_on,
        'base' as layer,
        base_stages.from_stage as from_code,
        base_stages.base_stage as to_code,
        base_stages.reason_code,
        base_stages.cause_table,
        base_stages.cause_id,
        churn.churn_reason,
        churn.churn_reason_class,
        churn.is_churn_reason_inferred,
        base_stages.rule_version
    from base_stages
    left join churn
        on
            churn.customer_id = base_stages.customer_id
            and churn.run_no = base_stages.run_no
            and base_stages.reason_code in ('lapsed', 'withdrew', 'refunded')
    union all
    -- The open signal of highest priority.
    select
        customer_id,
        run_no,
        danger_from as transition_on,
        'danger' as layer,
        'clear' as from_code,
        'danger' as to_code,
        'signal_opened' as reason_code,
        'fct_risk_signal' as cause_table,
        opening_signal_id as cause_id,
        null as churn_reason,
        null as churn_reason_class,
        null as is_churn_reason_inferred,
        rule_version
    from entered_danger
    union all
    -- The signal that closed last, unless the run was over.
    select
        left_danger.customer_id,
        left_danger.run_no,
        left_danger.danger_to as transition_on,
        'danger' as layer,
        'danger' as from_code,
        'clear' as to_code,
        case when runs.ended_on < left_danger.danger_to then 'run_ended' else 'signals_cleared' end as reason_code,
        case when runs.ended_on < left_danger.danger_to then runs.end_cause_table else 'fct_risk_signal' end
            as cause_table,
        case when runs.ended_on < left_danger.danger_to then runs.end_cause_id else left_danger.closing_signal_id end
            as cause_id,
        null as churn_reason,
        null as churn_reason_class,
        null as is_churn_reason_inferred,
        left_danger.rule_version
    from left_danger
    inner join runs
        on
            runs.customer_id = left_danger.customer_id
            and runs.run_no = left_danger.run_no
)

select
    changes.customer_id,
    customers.campus_id,
    changes.run_no,
    changes.transition_on,
    changes.layer,
    changes.from_code,
    changes.to_code,
    changes.reason_code,
    changes.cause_table,
    changes.cause_id,
    changes.churn_reason,
    changes.churn_reason_class,
    changes.is_churn_reason_inferred,
    changes.rule_version
from changes
inner join customers on customers.customer_id = changes.customer_id
