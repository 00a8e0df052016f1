-- One row per customer, run and day of study in it, numbered.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

study as (
    select
        customer_id,
        study_on
    from {{ ref('int_lifecycle_study') }} as days
    where study_on <= {{ as_of() }}
    -- An attended lesson makes a day of study, whether or not it was listed as one.
    union
    select
        customer_id,
        {{ day_of('lesson_at') }} as study_on
    from {{ ref('int_lifecycle_outcome') }} as outcomes
    where
        outcome = 'attended'
        and {{ day_of('lesson_at') }} <= {{ as_of() }}
)

select
    runs.customer_id,
    runs.run_no,
    study.study_on,
    cast(
        row_number() over (partition by runs.customer_id, runs.run_no order by study.study_on) as integer
    ) as study_no,
    lead(study.study_on) over (partition by runs.customer_id, runs.run_no order by study.study_on) as next_study_on
from runs
inner join study
    on
        study.customer_id = runs.customer_id
        and study.study_on between runs.started_on and runs.ended_on
