-- One row per customer or account id that was folded into another, or split off from one, up to the day of the build.
select
    events.event_no,
    events.level,
    events.event,
    events.from_id,
    events.into_id,
    events.rule,
    events.happened_on
from {{ source('identity', 'identity_merge') }} as events
where events.happened_on <= {{ as_of() }}
