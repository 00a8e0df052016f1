-- One row per run and absence that makes too many among the last outcomes, open until it is not so any more.
-- Counted in places among the outcomes of the run: with the third absence back at place p, the last five hold three
-- absences until the outcome at place p + 5 comes.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

absences as (
    select * from {{ ref('int_run_outcome') }}
    where is_absent
),

first_absences as (
    select * from {{ ref('int_run_outcome') }}
    where is_absent
),

clearing as (
    select * from {{ ref('int_run_outcome') }}
),

too_many as (
    select
        absences.customer_id,
        absences.run_no,
        absences.lesson_on,
        first_absences.lesson_on as first_absent_on,
        first_absences.place + rules.absences_of_last as clearing_place,
        rules.absences_min,
        rules.absences_of_last
    from absences
    inner join runs
        on
            runs.customer_id = absences.customer_id
            and runs.run_no = absences.run_no
    inner join rules on rules.campus_id = runs.campus_id
    inner join first_absences
        on
            first_absences.customer_id = absences.customer_id
            and first_absences.run_no = absences.run_no
            and first_absences.absences = absences.absences - rules.absences_min + 1
            and absences.place < first_absences.place + rules.absences_of_last
)

select
    too_many.customer_id,
    too_many.run_no,
    too_many.lesson_on as opened_on,
    coalesce(clearing.lesson_on, {{ far_day() }}) as closed_on,
    {{ json_object({
        'absent': 'too_many.absences_min',
        'of_last': 'too_many.absences_of_last',
        'first_absent_on': 'too_many.first_absent_on',
        'last_absent_on': 'too_many.lesson_on',
    }) }} as evidence
from too_many
left join clearing
    on
        clearing.customer_id = too_many.customer_id
        and clearing.run_no = too_many.run_no
        and clearing.place = too_many.clearing_place
-- Several outcomes of one day: how it stands at the end of the day.
where coalesce(clearing.lesson_on, {{ far_day() }}) > too_many.lesson_on
