"""The audit of a candidate: how much a table may shrink, and what the facts hold by the canonical tables."""

from lifecourse.quality.facts import Fact

#: Share of its rows that a table may lose from one publication to the next.
MAX_DROP = 0.1

#: Tables for which another share holds, such as one that is rebuilt over a moving window.
MAX_DROP_OF: dict[str, float] = {}

#: Smaller tables may shrink as they like.
MIN_ROWS_TO_JUDGE = 50

_OF_ORDER = (
    "{canonical}.%s as it inner join {canonical}.orders as purchase on purchase.order_id = it.order_id"
)
_ORDERED = "{day:purchase.placed_at} <= {as_of}"

FACTS: tuple[Fact, ...] = (
    Fact(
        "fct_attendance",
        "{canonical}.attendance as it "
        "inner join {canonical}.lessons as lesson on lesson.lesson_id = it.lesson_id",
        "{day:lesson.starts_at}",
        "it.learner_id",
        where="lesson.status <> 'cancelled'",
        figures={"hours": "it.hours"},
    ),
    Fact("fct_enrolment", "{canonical}.enrolments as it", "it.enrolled_on", "it.learner_id"),
    Fact(
        "fct_homework",
        "{canonical}.homework as it",
        "least(it.due_on, {day:it.submitted_at})",
        "it.learner_id",
    ),
    Fact(
        "fct_assessment",
        "{canonical}.assessments as it",
        "it.taken_on",
        "it.learner_id",
        figures={"score": "it.score"},
    ),
    Fact(
        "fct_learning_day",
        "{canonical}.learning_sessions as it",
        "{day:it.started_at}",
        "it.learner_id",
        figures={"session_count": "1", "activity_count": "it.activity_count"},
        per="known.customer_id, {day:it.started_at}",
    ),
    Fact(
        "fct_survey",
        "{canonical}.surveys as it",
        "{day:it.responded_at}",
        "it.learner_id",
        figures={"score": "it.score"},
    ),
    Fact("fct_complaint", "{canonical}.complaints as it", "{day:it.opened_at}", "it.learner_id"),
    Fact("fct_referral", "{canonical}.referrals as it", "{day:it.referred_at}", "it.referrer_learner_id"),
    Fact("fct_lead", "{canonical}.leads as it", "{day:it.created_at}", lead="it.lead_id"),
    Fact(
        "fct_trial",
        "{canonical}.trials as it inner join {canonical}.leads as lead on lead.lead_id = it.lead_id",
        "{day:it.booked_at}",
        lead="it.lead_id",
    ),
    Fact("fct_touchpoint", "{canonical}.touchpoints as it", "{day:it.occurred_at}", lead="it.lead_id"),
    Fact(
        "fct_order",
        "{canonical}.orders as it",
        "{day:it.placed_at}",
        "it.learner_id",
        figures={"payable_amount": "it.payable_amount", "discount_amount": "it.discount_amount"},
    ),
    Fact(
        "fct_order_line",
        _OF_ORDER % "order_lines",
        "{day:purchase.placed_at}",
        "purchase.learner_id",
        figures={"net_amount": "it.net_amount", "paid_hours": "it.paid_hours", "gift_hours": "it.gift_hours"},
    ),
    Fact(
        "fct_payment",
        _OF_ORDER % "payments",
        "{day:it.paid_at}",
        "purchase.learner_id",
        where=_ORDERED,
        figures={"amount": "it.amount"},
    ),
    Fact(
        "fct_refund",
        _OF_ORDER % "refunds",
        "{day:it.requested_at}",
        "purchase.learner_id",
        where=_ORDERED,
        figures={"requested_amount": "it.amount"},
    ),
)
