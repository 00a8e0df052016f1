-- One row per lesson outcome in a run of a customer with enough absences to matter, numbered. Outcomes of paused days
-- are left out.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

pauses as (
    select * from {{ ref('int_pause') }}
),

absences as (
    select * from {{ ref('int_lifecycle_outcome') }}
    where outcome = 'absent'
),

outcomes as (
    select * from {{ ref('int_lifecycle_outcome') }}
    where outcome in ('attended', 'absent', 'leave')
),

absentees as (
    select customer_id
    from absences
    group by customer_id
    having count(*) >= (select min(absences_min) from {{ ref('int_campus_rules') }})
),

dated as (
    select
        outcomes.customer_id,
        outcomes.outcome_id,
        outcomes.lesson_at,
        {{ day_of('outcomes.lesson_at') }} as lesson_on,
        outcomes.outcome = 'absent' as is_absent
    from absentees
    inner join outcomes on outcomes.customer_id = absentees.customer_id
),

in_run as (
    select
        runs.customer_id,
        runs.run_no,
        dated.lesson_on,
        dated.is_absent,
        row_number() over (
            partition by runs.customer_id, runs.run_no
            -- At one instant the absence counts as the later.
            order by dated.lesson_at, case when dated.is_absent then 1 else 0 end, dated.outcome_id
        ) as place
    from dated
    inner join runs
        on
            runs.customer_id = dated.customer_id
            and dated.lesson_on between runs.started_on and runs.ended_on
    left join pauses
        on
            pauses.customer_id = dated.customer_id
            and dated.lesson_on between pauses.paused_from and pauses.paused_to
    where
        dated.lesson_on <= {{ as_of() }}
        and pauses.customer_id is null
)

select
    customer_id,
    run_no,
    cast(place as integer) as place,
    lesson_on,
    is_absent,
    cast(
        sum(case when is_absent then 1 else 0 end) over (partition by customer_id, run_no order by place) as integer
    ) as absences
from in_run
