-- One row per live trigger that is not on the list, with the reason.
with

judged as (
    select * from {{ ref('int_action_judged') }}
)

select
    action_id,
    customer_id,
    lead_id,
    campus_id,
    owner_kind,
    owner_id,
    trigger_code,
    trigger_on,
    cause_table,
    cause_id,
    offer_code,
    priority,
    {% for language in ['en', 'zh'] %}
        trigger_{{ language }},
        why_{{ language }},
        because_{{ language }},
    {% endfor %}
    suppression_code
from judged
where suppression_code is not null
