-- One row per trigger that is live on the day of the list: what its rule says, and whether anything speaks against it.
with

candidates as (
    select * from {{ ref('int_action_candidate') }}
),

rules as (
    select * from {{ ref('action_rules') }}
),

offers as (
    select * from {{ ref('offer_catalogue') }}
),

audiences as (
    select * from {{ ref('action_audience') }}
),

triggers as (
    select * from {{ ref('action_trigger') }}
),

live as (
    select
        candidates.*,
        limits.owner_daily_cap,
        limits.contact_cap_touches,
        limits.contact_cap_days,
        limits.guardian_below_age,
        limits.low_balance_hours,
        limits.near_end_days,
        rules.is_on,
        rules.audience_code,
        rules.offer_code,
        rules.owner_kind as rule_owner_kind,
        rules.deadline_days,
        rules.priority,
        rules.is_exempt_from_contact_cap,
        offers.offer_kind,
        offers.purpose,
        offers.channel,
        offers.addressee as offer_addressee,
        offers.scene,
        offers.blocked_by_voice,
        offers.blocked_by_behaviour,
        offers.blocked_by_renewal,
        offers.name_en as offer_en,
        offers.name_zh as offer_zh,
        offers.do_en,
        offers.do_zh,
        audiences.holds_prospective,
        audiences.holds_existing,
        audiences.holds_churned,
        audiences.needs_valued,
        audiences.name_en as audience_en,
        audiences.name_zh as audience_zh
    from candidates
    {{ action_limits_of('candidates.campus_id') }}
    -- The campus's own rule where it has one, as a whole; else that of every campus.
    left join rules
        on
            rules.trigger_code = candidates.trigger_code
            and coalesce(rules.campus_id, '') = coalesce(
                (
                    select own.campus_id
                    from rules as own
                    where
                        own.trigger_code = candidates.trigger_code
                        and own.campus_id = candidates.campus_id
                ), ''
            )
    left join offers on offers.offer_code = rules.offer_code
    left join audiences on audiences.audience_code = rules.audience_code
    where
        rules.trigger_code is null
        or candidates.trigger_on > {{ add_days(as_of(), '-rules.live_days') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

leads as (
    select * from {{ ref('fct_lead') }}
),

owners as (
    select * from {{ ref('dim_customer_owner') }}
),

advisors as (
    select advisor_id from {{ ref('dim_advisor') }}
    where left_on is null or left_on > {{ as_of() }}
),

teachers as (
    select teacher_id from {{ ref('dim_teacher') }}
    where left_on is null or left_on > {{ as_of() }}
),

open_signals as (
    select
        signals.customer_id,
        min(case when signals.signal_class = 'voice' then signals.priority end) as voice_priority,
        min(case when signals.signal_class = 'behaviour' then signals.priority end) as behaviour_priority,
        min(case when signals.signal_class = 'renewal' then signals.priority end) as renewal_priority
    from {{ ref('fct_risk_signal') }} as signals
    where signals.closed_on is null
    group by signals.customer_id
),

signal_names as (
    select * from {{ ref('risk_signal') }}
),

permissions as (
    select * from {{ ref('int_contact_permission') }}
),

values_now as (
    select
        customer_id,
        value_segment,
        current_value_score
    from {{ ref('mart_customer_value') }}
),

balances as (
    select * from {{ ref('int_customer_balance') }}
),

touches as (
    select
        {{ subject_of('touches') }} as subject_id,
        touches.occurred_on,
        touches.handled_by
    from {{ ref('fct_touchpoint') }} as touches
    where
        touches.direction = 'out'
        and touches.occurred_on > {{ add_days(as_of(), -92) }}
),

contacts as (
    select
        live.action_id,
        count(
            case when touches.occurred_on > {{ add_days(as_of(), '-live.contact_cap_days') }} then 1 end
        ) as contacts_in_window,
        min(
            case
                when touches.handled_by = 'advisor' and touches.occurred_on > live.trigger_on then touches.occurred_on
            end
        ) as contacted_on
    from live
    inner join touches on touches.subject_id = live.subject_id
    group by live.action_id
),

interventions as (
    select
        live.action_id,
        min(interventions.opened_on) as intervened_on
    from live
    inner join {{ ref('fct_intervention') }} as interventions
        on
            interventions.customer_id = live.customer_id
            and interventions.opened_on >= live.trigger_on
    group by live.action_id
),

known as (
    select
        live.*,
        coalesce(customers.current_phase, 'prospective') as phase_code,
        coalesce(customers.is_reportable, leads.is_reportable, true) as is_reportable,
        coalesce(values_now.value_segment <> 'low_low', false) as is_valued,
        values_now.current_value_score,
        least(contacts.contacted_on, interventions.intervened_on) as done_on,
        coalesce(contacts.contacts_in_window, 0) as contacts_in_window,
        least(
            case when live.blocked_by_voice then open_signals.voice_priority end,
            case when live.blocked_by_behaviour then open_signals.behaviour_priority end,
            case when live.blocked_by_renewal then open_signals.renewal_priority end
        ) as blocking_priority,
        case live.scene
            when 'near_end'
                then
                    coalesce(
                        open_signals.renewal_priority is not null
                        or (
                            not balances.is_open_ended
                            and balances.last_ends_on <= {{ add_days(as_of(), 'live.near_end_days') }}
                        )
                        or balances.hours_left <= live.low_balance_hours, false
                    )
            when 'left' then coalesce(customers.current_phase = 'churned', false)
            else true
        end as is_the_scene,
        live.purpose is null or coalesce(permissions.is_allowed, false) as is_allowed,
        coalesce(owners.has_guardian, false) as has_guardian,
        case
            -- Only the year is known: who may still be a minor is one.
            when customers.birth_year is not null
                then extract(year from {{ as_of() }}) - customers.birth_year <= live.guardian_below_age
            when customers.learner_band is not null then customers.learner_band not in ('university', 'adult')
            else coalesce(owners.has_guardian, false)
        end as is_minor,
        coalesce(advisors.advisor_id, teachers.teacher_id, 'desk:' || live.campus_id) as owner_id,
        case
            when advisors.advisor_id is not null then 'advisor'
            when teachers.teacher_id is not null then 'teacher'
            else 'desk'
        end as owner_kind
    from live
    left join customers on customers.customer_id = live.customer_id
    left join leads on leads.lead_id = live.lead_id
    left join owners on owners.customer_id = live.customer_id
    -- Who has left the institution owns nothing: it falls to the desk of the campus.
    left join advisors
        on
            live.rule_owner_kind = 'advisor'
            and advisors.advisor_id = coalesce(owners.advisor_id, leads.advisor_id)
    left join teachers
        on
            live.rule_owner_kind = 'teacher'
            and teachers.teacher_id = owners.teacher_id
    left join values_now on values_now.customer_id = live.customer_id
    left join open_signals on open_signals.customer_id = live.customer_id
    left join balances on balances.customer_id = live.customer_id
    left join contacts on contacts.action_id = live.action_id
    left join interventions on interventions.action_id = live.action_id
    left join permissions
        on
            permissions.customer_id = live.customer_id
            and permissions.purpose = live.purpose
),

objected as (
    select
        known.*,
        case
            when offer_code is null then 'no_rule'
            when not is_on then 'rule_off'
            when not is_reportable then 'test_account'
            when
                not case phase_code
                    when 'prospective' then holds_prospective
                    when 'existing' then holds_existing
                    else holds_churned
                end
                or (needs_valued and not is_valued)
                then 'out_of_audience'
            when done_on is not null then 'already_done'
            when blocking_priority is not null then 'in_danger'
            when not is_the_scene then 'not_the_scene'
            when not is_allowed then 'no_consent'
            when is_minor and not has_guardian then 'no_guardian'
            when not is_exempt_from_contact_cap and contacts_in_window >= contact_cap_touches then 'contact_cap'
        end as objection_code
    from known
),

-- One action a day for a customer: that of the highest priority that nothing speaks against.
by_subject as (
    select
        objected.*,
        row_number() over (
            partition by subject_id, objection_code is null order by priority, trigger_on desc, action_id
        ) as subject_place,
        first_value(trigger_code) over (
            partition by subject_id, objection_code is null order by priority, trigger_on desc, action_id
        ) as first_trigger_code
    from objected
),

by_owner as (
    select
        by_subject.*,
        coalesce(objection_code, case when subject_place > 1 then 'another_first' end) as reason_code,
        row_number() over (
            partition by owner_id, objection_code is null and subject_place = 1
            order by
                priority,
                {{ add_days('trigger_on', 'deadline_days') }},
                current_value_score desc nulls last,
                action_id
        ) as owner_place
    from by_subject
),

decided as (
    select
        by_owner.*,
        coalesce(reason_code, case when owner_place > owner_daily_cap then 'over_owner_cap' end) as suppression_code
    from by_owner
),

reasons as (
    select * from {{ ref('action_suppression') }}
),

worded as (
    select
        decided.*,
        {% for language in ['en', 'zh'] %}
            triggers.name_{{ language }} as trigger_{{ language }},
            {{ worded('triggers.why_' ~ language, {
                '1': 'decided.fact_1', '2': 'decided.fact_2', '3': 'decided.fact_3', 'w': 'decided.words_' ~ language,
            }) }} as why_{{ language }},
            reasons.because_{{ language }} as because_pattern_{{ language }},
            case decided.suppression_code
                when 'out_of_audience' then decided.audience_{{ language }}
                when 'already_done' then cast(decided.done_on as {{ dbt.type_string() }})
                when 'in_danger' then signal_names.name_{{ language }}
                when 'not_the_scene' then decided.scene
                when 'no_consent' then decided.purpose
                when 'contact_cap' then cast(decided.contacts_in_window as {{ dbt.type_string() }})
                when 'another_first' then first_triggers.name_{{ language }}
                when 'over_owner_cap' then cast(decided.owner_place as {{ dbt.type_string() }})
            end as because_fact_{{ language }},
        {% endfor %}
        case decided.suppression_code
            when 'contact_cap' then cast(decided.contact_cap_days as {{ dbt.type_string() }})
            when 'over_owner_cap' then cast(decided.owner_daily_cap as {{ dbt.type_string() }})
        end as because_number
    from decided
    left join triggers on triggers.trigger_code = decided.trigger_code
    left join triggers as first_triggers on first_triggers.trigger_code = decided.first_trigger_code
    left join reasons on reasons.suppression_code = decided.suppression_code
    left join signal_names on signal_names.priority = decided.blocking_priority
)

select
    action_id,
    suppression_code,
    customer_id,
    lead_id,
    campus_id,
    owner_kind,
    owner_id,
    cast(owner_place as integer) as place,
    trigger_code,
    trigger_on,
    cause_table,
    cause_id,
    phase_code,
    offer_code,
    offer_kind,
    purpose,
    channel,
    case
        when is_minor then 'guardian'
        when offer_addressee = 'guardian' then 'person'
        else offer_addressee
    end as addressee,
    priority,
    {{ add_days('trigger_on', 'deadline_days') }} as due_on,
    cast(contacts_in_window as integer) as contacts_in_window,
    evidence,
    {% for language in ['en', 'zh'] %}
        coalesce(trigger_{{ language }}, trigger_code) as trigger_{{ language }},
        coalesce(why_{{ language }}, fact_1) as why_{{ language }},
        offer_{{ language }},
        do_{{ language }},
        {{ worded('because_pattern_' ~ language, {'1': 'because_fact_' ~ language, '2': 'because_number'}) }}
            as because_{{ language }},
    {% endfor %}
    is_minor,
    has_guardian
from worded
