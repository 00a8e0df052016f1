{# The words are in action_trigger; here is only what fills them. A signal's trigger is signal_ and its code. #}
{% set nothing = 'cast(null as text)' %}
-- One row per trigger of an action and fact behind it, for a customer or a lead, as of the day of the build.
with

customers as (
    select
        dim_customer.customer_id,
        dim_customer.campus_id,
        dim_customer.grade,
        dim_customer.learner_band,
        dim_customer.region,
        dim_customer.current_phase,
        limits.no_login_days,
        limits.homework_missed_min,
        limits.homework_days,
        limits.near_expiry_days,
        limits.exam_before_days,
        limits.exam_after_days,
        limits.new_course_days
    from {{ ref('dim_customer') }} as dim_customer
    {{ action_limits_of('dim_customer.campus_id') }}
),

-- No trigger asks for longer than this, at whatever campus.
window_of_all as (
    select {{ add_days(as_of(), '-max(live_days)') }} as after_on
    from {{ ref('action_rules') }}
),

courses as (
    select * from {{ ref('dim_course') }}
),

signals as (
    select
        'signal_' || signals.signal_code as trigger_code,
        signals.customer_id,
        signals.opened_on as trigger_on,
        'fct_risk_signal' as cause_table,
        signals.risk_signal_id as cause_id,
        cast(signals.opened_on as {{ dbt.type_string() }}) as fact_1,
        signals.evidence
    from {{ ref('fct_risk_signal') }} as signals
    inner join window_of_all on signals.opened_on > window_of_all.after_on
    where signals.closed_on is null
),

stages as (
    select
        case
            when transitions.reason_code = 'won_back' then 'stage_won_back'
            when transitions.to_code = 'terminated'
                then 'stage_left_' || coalesce(reasons.list_code, 'not_pursued')
            else 'stage_' || transitions.to_code
        end as trigger_code,
        transitions.customer_id,
        transitions.transition_on as trigger_on,
        'fct_lifecycle_transition' as cause_table,
        cast(transitions.transition_on as {{ dbt.type_string() }}) as cause_id,
        cast(transitions.transition_on as {{ dbt.type_string() }}) as fact_1,
        case when transitions.to_code = 'terminated' then reasons.name_en else why.name_en end as words_en,
        case when transitions.to_code = 'terminated' then reasons.name_zh else why.name_zh end as words_zh
    from {{ ref('fct_lifecycle_transition') }} as transitions
    inner join window_of_all on transitions.transition_on > window_of_all.after_on
    left join {{ ref('churn_reason') }} as reasons on reasons.churn_reason = transitions.churn_reason
    left join {{ ref('lifecycle_reason') }} as why on why.reason_code = transitions.reason_code
    where
        transitions.layer = 'base'
        -- An enquiry is handled as a lead.
        and transitions.to_code <> 'prospect'
),

self_paced as (
    select customer_id
    from {{ ref('fct_enrolment') }}
    where
        delivery = 'self_paced'
        and status = 'active'
        and (starts_on is null or starts_on <= {{ as_of() }})
    group by customer_id
),

last_logins as (
    select
        days.customer_id,
        max(days.learning_on) as last_on
    from {{ ref('fct_learning_day') }} as days
    inner join window_of_all on days.learning_on > window_of_all.after_on
    inner join self_paced on self_paced.customer_id = days.customer_id
    group by days.customer_id
),

logins as (
    select
        last_logins.customer_id,
        last_logins.last_on,
        {{ add_days('last_logins.last_on', 'customers.no_login_days') }} as trigger_on
    from last_logins
    inner join customers on customers.customer_id = last_logins.customer_id
),

homework as (
    select
        homework.customer_id,
        count(*) as missing,
        max(homework.due_on) as trigger_on,
        min({{ add_days(as_of(), '1 - customers.homework_days') }}) as since_on
    from {{ ref('fct_homework') }} as homework
    inner join customers on customers.customer_id = homework.customer_id
    inner join window_of_all on homework.due_on > window_of_all.after_on
    where
        homework.submission_status = 'missing'
        and homework.due_on > {{ add_days(as_of(), '-customers.homework_days') }}
    group by homework.customer_id
    having count(*) >= min(customers.homework_missed_min)
),

balances as (
    select
        balances.*,
        customers.near_expiry_days
    from {{ ref('int_customer_balance') }} as balances
    inner join customers on customers.customer_id = balances.customer_id
),

subjects_taken as (
    select
        enrolments.customer_id,
        courses.subject,
        max(case when enrolments.status = 'active' then 1 else 0 end) as is_active
    from {{ ref('fct_enrolment') }} as enrolments
    inner join courses on courses.course_id = enrolments.course_id
    where courses.subject is not null
    group by enrolments.customer_id, courses.subject
),

exams as (
    select
        case when exams.exam_on > {{ as_of() }} then 'exam_near' else 'exam_over' end as trigger_code,
        customers.customer_id,
        exams.exam_id,
        exams.exam_name,
        exams.exam_on,
        case
            when exams.exam_on > {{ as_of() }} then {{ add_days('exams.exam_on', '-customers.exam_before_days') }}
            else exams.exam_on
        end as trigger_on
    from customers
    inner join {{ ref('dim_exam') }} as exams
        on
            (exams.grade is null or exams.grade = customers.grade)
            and (exams.region is null or exams.region = customers.region)
            and exams.exam_on <= {{ add_days(as_of(), 'customers.exam_before_days') }}
            and exams.exam_on > {{ add_days(as_of(), '-customers.exam_after_days') }}
    left join subjects_taken
        on
            subjects_taken.customer_id = customers.customer_id
            and subjects_taken.subject = exams.subject
            and subjects_taken.is_active = 1
    where
        customers.current_phase = 'existing'
        -- An exam of all subjects concerns everybody of the grade.
        and (exams.subject is null or subjects_taken.customer_id is not null)
),

finished as (
    select
        enrolments.customer_id,
        enrolments.enrolment_id,
        enrolments.completed_on,
        enrolments.result,
        courses.course_name,
        next_courses.course_name as next_course_name
    from {{ ref('fct_enrolment') }} as enrolments
    inner join window_of_all on enrolments.completed_on > window_of_all.after_on
    inner join courses on courses.course_id = enrolments.course_id
    inner join courses as next_courses on next_courses.course_id = courses.next_course_id
    where enrolments.status = 'completed'
),

tests as (
    select
        assessments.enrolment_id,
        assessments.score_rate,
        row_number() over (
            partition by assessments.enrolment_id order by assessments.taken_on, assessments.assessment_result_id
        ) as test_no,
        count(*) over (partition by assessments.enrolment_id) as tests
    from {{ ref('fct_assessment') }} as assessments
    inner join finished on finished.enrolment_id = assessments.enrolment_id
    where
        assessments.score_rate is not null
        and not assessments.is_banked
),

gains as (
    select
        enrolment_id,
        cast(round(100 * max(case when test_no = 1 then score_rate end)) as integer) as first_percent,
        cast(round(100 * max(case when test_no = tests then score_rate end)) as integer) as last_percent
    from tests
    group by enrolment_id
),

goals as (
    select
        enrolment_id,
        max(actual_score) as actual_score
    from {{ ref('fct_goal') }}
    where
        status = 'reached'
        and enrolment_id is not null
    group by enrolment_id
),

progress as (
    select
        finished.*,
        case
            when goals.enrolment_id is not null then 'goal reached'
            when finished.result = 'distinction' then 'passed with distinction'
            else 'results from ' || gains.first_percent || ' to ' || gains.last_percent || ' of 100'
        end as words_en,
        case
            when goals.enrolment_id is not null then '目标达成'
            when finished.result = 'distinction' then '优秀结课'
            else '成绩由 ' || gains.first_percent || ' 提升至 ' || gains.last_percent
        end as words_zh
    from finished
    left join goals on goals.enrolment_id = finished.enrolment_id
    left join gains on gains.enrolment_id = finished.enrolment_id
    where
        goals.enrolment_id is not null
        or finished.result = 'distinction'
        or gains.last_percent > gains.first_percent
),

-- The catalogue has no day on which a course came: it is new where its first class is still to begin.
first_classes as (
    select
        course_id,
        min(starts_on) as first_on
    from {{ ref('dim_class') }}
    where not is_cancelled
    group by course_id
),

new_courses as (
    select
        customers.customer_id,
        new_course.course_id,
        new_course.course_name,
        new_course.subject,
        first_classes.first_on,
        {{ add_days('first_classes.first_on', '-customers.new_course_days') }} as trigger_on
    from customers
    inner join first_classes
        on
            first_classes.first_on > {{ as_of() }}
            and first_classes.first_on <= {{ add_days(as_of(), 'customers.new_course_days') }}
    inner join courses as new_course
        on
            new_course.course_id = first_classes.course_id
            and (new_course.school_level is null or new_course.school_level = customers.learner_band)
    inner join subjects_taken
        on
            subjects_taken.customer_id = customers.customer_id
            and subjects_taken.subject = new_course.subject
    -- Where it is to be taught.
    where
        exists (
            select 1 from {{ ref('dim_class') }} as classes
            where
                classes.course_id = new_course.course_id
                and classes.campus_id = customers.campus_id
                and not classes.is_cancelled
        )
),

growth as (
    select * from {{ ref('mart_cross_sell') }}
    where place = 1
),

enquiries as (
    select
        leads.customer_id,
        leads.lead_id,
        leads.campus_id,
        leads.created_on as trigger_on,
        'fct_lead' as cause_table,
        leads.lead_id as cause_id
    from {{ ref('fct_lead') }} as leads
    inner join window_of_all on leads.created_on > window_of_all.after_on
    where
        leads.response_hours is null
        and leads.purchased_on is null
        and leads.is_reportable
        and coalesce(leads.status, 'new') not in ('lost', 'invalid')
    union all
    -- The last word of the trajectory is theirs, and written: who called or came was answered on the spot.
    select
        touches.customer_id,
        touches.lead_id,
        touches.campus_id,
        touches.occurred_on as trigger_on,
        'fct_touchpoint' as cause_table,
        touches.touchpoint_id as cause_id
    from {{ ref('fct_touchpoint') }} as touches
    inner join window_of_all on touches.occurred_on > window_of_all.after_on
    left join {{ ref('fct_touchpoint') }} as later
        on
            later.trajectory_id = touches.trajectory_id
            and later.touch_no > touches.touch_no
            and later.occurred_on >= touches.occurred_on
    left join {{ ref('fct_lead') }} as leads on leads.lead_id = touches.lead_id
    where
        touches.direction = 'in'
        and touches.channel in ('wechat', 'sms', 'email', 'web')
        and touches.outcome is distinct from 'refused'
        and later.touchpoint_id is null
        and coalesce(leads.is_reportable, true)
        and coalesce(leads.status, 'new') not in ('lost', 'invalid')
),

-- What a trigger does not say is empty.
triggered as (
    select
        trigger_code,
        customer_id,
        {{ nothing }} as lead_id,
        {{ nothing }} as lead_campus_id,
        trigger_on,
        cause_table,
        cause_id,
        fact_1,
        {{ nothing }} as fact_2,
        {{ nothing }} as fact_3,
        {{ nothing }} as words_en,
        {{ nothing }} as words_zh,
        evidence
    from signals
    union all
    select
        trigger_code,
        customer_id,
        null as lead_id,
        null as lead_campus_id,
        trigger_on,
        cause_table,
        cause_id,
        fact_1,
        null as fact_2,
        null as fact_3,
        words_en,
        words_zh,
        null as evidence
    from stages
    {% for source in [
        {'from': 'logins', 'code': "'no_login'", 'on': 'trigger_on', 'table': 'fct_learning_day',
         'id': 'last_on', 'facts': ['last_on', none, none], 'where': 'trigger_on <= ' ~ as_of()},
        {'from': 'homework', 'code': "'homework_missed'", 'on': 'trigger_on', 'table': 'fct_homework',
         'id': 'trigger_on', 'facts': ['trigger_on', 'missing', 'since_on'], 'where': none},
        {'from': 'balances', 'code': "'low_balance'", 'on': 'low_since_on', 'table': 'int_customer_balance',
         'id': 'low_since_on', 'facts': ['low_since_on', 'cast(hours_left as ' ~ dbt.type_float() ~ ')', none], 'where': 'low_since_on is not null'},
        {'from': 'balances', 'code': "'near_expiry'", 'on': add_days('last_ends_on', '-near_expiry_days'),
         'table': 'int_customer_balance', 'id': 'last_ends_on', 'facts': ['last_ends_on', none, none],
         'where': 'not is_open_ended and last_ends_on >= ' ~ as_of()
                  ~ ' and last_ends_on <= ' ~ add_days(as_of(), 'near_expiry_days')},
        {'from': 'exams', 'code': 'trigger_code', 'on': 'trigger_on', 'table': 'dim_exam',
         'id': 'exam_id', 'facts': ['exam_on', 'exam_name', none], 'where': none},
        {'from': ref('int_birthday'), 'code': "'birthday'", 'on': list_on(), 'table': 'vault',
         'id': list_on(), 'facts': [list_on(), none, none], 'where': none},
        {'from': 'progress', 'code': "'course_finished'", 'on': 'completed_on', 'table': 'fct_enrolment',
         'id': 'enrolment_id', 'facts': ['completed_on', 'course_name', 'next_course_name'], 'words': true,
         'where': none},
        {'from': 'new_courses', 'code': "'new_related_course'", 'on': 'trigger_on', 'table': 'dim_course',
         'id': 'course_id', 'facts': ['first_on', 'course_name', 'subject'], 'where': none},
        {'from': 'growth', 'code': 'offer_kind', 'on': start_of('month', as_of()), 'table': 'mart_cross_sell',
         'id': "offer_kind || ':' || subject || ':' || " ~ start_of('month', as_of()),
         'facts': [start_of('month', as_of()), 'current_subject', 'subject'], 'words': true, 'where': none},
    ] %}
        union all
        select
            {{ source['code'] }} as trigger_code,
            customer_id,
            null as lead_id,
            null as lead_campus_id,
            {{ source['on'] }} as trigger_on,
            '{{ source["table"] }}' as cause_table,
            cast({{ source['id'] }} as {{ dbt.type_string() }}) as cause_id,
            {% for fact in source['facts'] %}
                {{ 'null' if fact is none else 'cast(' ~ fact ~ ' as ' ~ dbt.type_string() ~ ')' }}
                    as fact_{{ loop.index }},
            {% endfor %}
            {{ 'words_en' if source.get('words') else 'null as words_en' }},
            {{ 'words_zh' if source.get('words') else 'null as words_zh' }},
            null as evidence
        from {{ source['from'] }}
        {{ 'where ' ~ source['where'] if source['where'] }}
    {% endfor %}
    union all
    select
        'lead_unanswered' as trigger_code,
        customer_id,
        lead_id,
        campus_id as lead_campus_id,
        trigger_on,
        cause_table,
        cause_id,
        cast(trigger_on as {{ dbt.type_string() }}) as fact_1,
        null as fact_2,
        null as fact_3,
        null as words_en,
        null as words_zh,
        null as evidence
    from enquiries
)

select
    triggered.trigger_code || ':' || {{ subject_of('triggered') }} || ':' || triggered.cause_id as action_id,
    triggered.trigger_code,
    {{ subject_of('triggered') }} as subject_id,
    triggered.customer_id,
    triggered.lead_id,
    coalesce(customers.campus_id, triggered.lead_campus_id) as campus_id,
    triggered.trigger_on,
    triggered.cause_table,
    triggered.cause_id,
    triggered.fact_1,
    triggered.fact_2,
    triggered.fact_3,
    triggered.words_en,
    triggered.words_zh,
    triggered.evidence
from triggered
left join customers on customers.customer_id = triggered.customer_id
cross join window_of_all
where triggered.trigger_on > window_of_all.after_on
