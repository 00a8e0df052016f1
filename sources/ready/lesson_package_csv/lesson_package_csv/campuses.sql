-- One row per campus that a learner is at; the files give no more of it than its id.
select
    learner.campus_id,
    learner.campus_id as name,
    null::text as city,
    null::text as district,
    null::date as opened_on,
    null::date as closed_on,
    max(learner.updated_at) as updated_at,
    max(learner._load_id) as _load_id
from {learners} as learner
group by learner.campus_id
