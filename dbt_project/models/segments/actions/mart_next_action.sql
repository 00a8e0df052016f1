-- One row per action on the list of the morning after the day of the build.
with

judged as (
    select * from {{ ref('int_action_judged') }}
),

-- What else there was to do about the same customer, and why it is not on the list.
others as (
    select
        {{ subject_of('judged') }} as subject_id,
        count(*) as other_triggers,
        {{ list_of("judged.trigger_en || ': ' || judged.because_en", 'judged.action_id', 'true') }} as others_en,
        {{ list_of("judged.trigger_zh || ': ' || judged.because_zh", 'judged.action_id', 'true') }} as others_zh
    from judged
    where judged.suppression_code is not null
    group by {{ subject_of('judged') }}
)

select
    judged.action_id,
    {{ list_on() }} as list_on,
    judged.owner_kind,
    judged.owner_id,
    judged.place,
    judged.customer_id,
    judged.lead_id,
    judged.campus_id,
    judged.trigger_code,
    judged.trigger_on,
    judged.cause_table,
    judged.cause_id,
    judged.offer_code,
    judged.offer_kind,
    judged.purpose,
    judged.channel,
    judged.addressee,
    judged.priority,
    -- What is late already is due on the day of the list.
    greatest(judged.due_on, {{ list_on() }}) as due_on,
    judged.evidence,
    {% for language in ['en', 'zh'] %}
        judged.trigger_{{ language }},
        judged.why_{{ language }},
        judged.offer_{{ language }},
        judged.do_{{ language }},
        others.others_{{ language }},
    {% endfor %}
    cast(coalesce(others.other_triggers, 0) as integer) as other_triggers
from judged
left join others on others.subject_id = {{ subject_of('judged') }}
where judged.suppression_code is null
