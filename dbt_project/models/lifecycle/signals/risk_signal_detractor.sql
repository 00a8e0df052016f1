-- One row per run and day whose last NPS response was a detractor's, open until it is old or another response comes.
with

runs as (
    select * from {{ ref('int_active_run') }}
),

rules as (
    select * from {{ ref('int_campus_rules') }}
),

responses as (
    select * from {{ ref('int_lifecycle_nps') }}
),

known as (
    select
        customer_id,
        survey_id,
        score,
        responded_on,
        -- Of several on a day the latest counts, the lower at a tie.
        row_number() over (
            partition by customer_id, responded_on
            order by responded_at desc, score, survey_id
        ) as response_no
    from (
        select
            customer_id,
            survey_id,
            score,
            responded_at,
            {{ day_of('responded_at') }} as responded_on
        from responses
    ) as dated
    where
        responded_on <= {{ as_of() }}
        and score is not null
),

last_of_day as (
    select
        customer_id,
        survey_id,
        score,
        responded_on,
        lead(responded_on) over (partition by customer_id order by responded_on) as next_responded_on
    from known
    where response_no = 1
)

select
    runs.customer_id,
    runs.run_no,
    last_of_day.responded_on as opened_on,
    least(
        {{ add_days('last_of_day.responded_on', 'rules.detractor_days') }},
        coalesce(last_of_day.next_responded_on, {{ far_day() }})
    ) as closed_on,
    {{ json_object({
        'survey_id': 'last_of_day.survey_id',
        'responded_on': 'last_of_day.responded_on',
        'score': 'last_of_day.score',
        'detractor_score_max': 'rules.detractor_score_max',
    }) }} as evidence
from runs
inner join rules on rules.campus_id = runs.campus_id
inner join last_of_day
    on
        last_of_day.customer_id = runs.customer_id
        and last_of_day.score <= rules.detractor_score_max
        and last_of_day.responded_on <= runs.ended_on
        and {{ add_days('last_of_day.responded_on', 'rules.detractor_days') }} > runs.started_on
