-- Question: Why is this customer in danger since that day?
-- Returns: one customer's story in order of days: every change with its reason and cause, every signal with its
--   evidence, and the facts since 30 days before danger began: lessons missed, homework late or not done, responses,
--   complaints, refunds.
-- Caveat: write an id in place of `asked`; here it is, of those who entered danger in the last 30 days, the one with
--   most signals open. cause_table names the table of the source contract that holds the fact; the fct_ table of marts
--   keeps its id.
with

asked as (
    select
        spans.customer_id,
        transitions.transition_on as danger_on
    from marts.fct_lifecycle_span as spans
    inner join marts.fct_lifecycle_transition as transitions
        on
            transitions.customer_id = spans.customer_id
            and transitions.reason_code = 'signal_opened'
    inner join marts.dim_customer as customers on customers.customer_id = spans.customer_id
    inner join marts.publication as publication on publication.is_current
    where
        spans.is_current
        and transitions.transition_on > publication.as_of - 30
        and spans.stage_code = 'danger'
        and customers.is_reportable
        -- The stretch of danger that is still open is the last one.
        and not exists (
            select 1
            from marts.fct_lifecycle_transition as later
            where
                later.customer_id = transitions.customer_id
                and later.layer = 'danger'
                and later.transition_on > transitions.transition_on
        )
    order by
        (
            select count(*)
            from marts.fct_risk_signal as signals
            where
                signals.customer_id = spans.customer_id
                and signals.closed_on is null
        ) desc,
        transitions.transition_on,
        spans.customer_id
    limit 1
),

story as (
    select
        transitions.transition_on as day_on,
        1 as place,
        transitions.layer as kind,
        coalesce(transitions.from_code, '') || ' -> ' || transitions.to_code as what,
        transitions.reason_code as detail,
        transitions.cause_table,
        transitions.cause_id,
        transitions.rule_version
    from asked
    inner join marts.fct_lifecycle_transition as transitions on transitions.customer_id = asked.customer_id
    union all
    select
        signals.opened_on,
        2,
        'signal',
        signals.signal_code || coalesce(' until ' || cast(signals.closed_on as text), ', still open'),
        cast(signals.evidence as text),
        'fct_risk_signal',
        signals.risk_signal_id,
        signals.rule_version
    from asked
    inner join marts.fct_risk_signal as signals on signals.customer_id = asked.customer_id
    where coalesce(signals.closed_on, asked.danger_on) >= asked.danger_on - 30
    union all
    select lessons.lesson_on, 3, 'fact', 'lesson ' || lessons.outcome, null, 'attendance', lessons.attendance_id, null
    from asked
    inner join marts.fct_attendance as lessons on lessons.customer_id = asked.customer_id
    where
        lessons.lesson_on >= asked.danger_on - 30
        and lessons.outcome_class <> 'attended'
    union all
    select
        homework.due_on,
        3,
        'fact',
        'homework due, ' || coalesce('handed in ' || cast(homework.submitted_on as text), 'not handed in'),
        null,
        'homework',
        homework.homework_id,
        null
    from asked
    inner join marts.fct_homework as homework on homework.customer_id = asked.customer_id
    where
        homework.due_on >= asked.danger_on - 30
        and (homework.submitted_on is null or homework.submitted_on > homework.due_on)
    union all
    select
        surveys.responded_on,
        3,
        'fact',
        surveys.kind || ' ' || surveys.score,
        null,
        'surveys',
        surveys.survey_id,
        null
    from asked
    inner join marts.fct_survey as surveys on surveys.customer_id = asked.customer_id
    where surveys.responded_on >= asked.danger_on - 30
    union all
    select
        complaints.opened_on,
        3,
        'fact',
        'complaint ' || coalesce('closed ' || cast(complaints.closed_on as text), 'open'),
        complaints.category,
        'complaints',
        complaints.complaint_id,
        null
    from asked
    inner join marts.fct_complaint as complaints on complaints.customer_id = asked.customer_id
    where coalesce(complaints.closed_on, asked.danger_on) >= asked.danger_on - 30
    union all
    select
        refunds.requested_on,
        3,
        'fact',
        'refund requested, ' || coalesce('resolved ' || cast(refunds.resolved_on as text), 'open'),
        null,
        'refunds',
        refunds.refund_id,
        null
    from asked
    inner join marts.fct_refund as refunds on refunds.customer_id = asked.customer_id
    where coalesce(refunds.resolved_on, asked.danger_on) >= asked.danger_on - 30
)

select
    asked.customer_id,
    story.day_on,
    story.kind,
    story.what,
    story.detail,
    story.cause_table,
    story.cause_id,
    story.rule_version
from story
cross join asked
order by story.day_on, story.place, story.kind collate "C", story.what collate "C", story.cause_id collate "C";
