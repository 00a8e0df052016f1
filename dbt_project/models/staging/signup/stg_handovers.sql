-- One row per handover of a learner from sales to teaching. Written by scripts/generate_staging.
select
    handover_id,
    learner_id,
    advisor_id,
    teacher_id,
    pain_points,
    goals,
    first_lesson_plan,
    documents_at,
    {{ day_of('documents_at') }} as documents_on,
    account_at,
    {{ day_of('account_at') }} as account_on,
    timetable_at,
    {{ day_of('timetable_at') }} as timetable_on,
    handed_over_at,
    {{ day_of('handed_over_at') }} as handed_over_on,
    accepted_at,
    {{ day_of('accepted_at') }} as accepted_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'handovers') }}
