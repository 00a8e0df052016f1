-- One row per customer and day of study that brought growth or maturity: the fact behind it.
with

growth as (
    select
        customer_id,
        growth_on as study_on
    from {{ ref('int_run_milestone') }}
    where growth_cause_table = 'study'
),

maturity as (
    select
        customer_id,
        mature_on as study_on
    from {{ ref('int_run_milestone') }}
    where mature_cause_table = 'study'
),

study as (
    select * from {{ ref('int_lifecycle_study') }}
),

outcomes as (
    select * from {{ ref('int_lifecycle_outcome') }}
),

named as (
    select
        customer_id,
        study_on
    from growth
    -- One day may have brought both.
    union
    select
        customer_id,
        study_on
    from maturity
),

facts as (
    select
        named.customer_id,
        named.study_on,
        study.cause_table,
        study.cause_id
    from named
    inner join study
        on
            study.customer_id = named.customer_id
            and study.study_on = named.study_on
    union all
    select
        named.customer_id,
        named.study_on,
        'attendance' as cause_table,
        outcomes.outcome_id as cause_id
    from named
    inner join outcomes
        on
            outcomes.customer_id = named.customer_id
            and outcomes.outcome = 'attended'
            and {{ day_of('outcomes.lesson_at') }} = named.study_on
),

in_order as (
    select
        customer_id,
        study_on,
        cause_table,
        cause_id,
        row_number() over (partition by customer_id, study_on order by cause_table, cause_id) as fact_no
    from facts
)

select
    customer_id,
    study_on,
    cause_table,
    cause_id
from in_order
where fact_no = 1
