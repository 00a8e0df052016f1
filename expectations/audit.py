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
#: The learner that a row names if the teaching system knows it, else the one whose the row's lead is known to be.
_OF_LEARNER_OR_LEAD = (
    "{canonical}.%s as it left join {canonical}.learners as learner on learner.learner_id = it.learner_id "
    "left join {canonical}.leads as lead on lead.lead_id = it.lead_id "
    "left join core.identity_lead as identified on identified.lead_id = lead.lead_id"
)
_LEARNER_OR_LEAD = "coalesce(learner.learner_id, identified.learner_id)"
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
        "fct_assessment_topic",
        "{canonical}.assessment_topics as it inner join {canonical}.assessments as test "
        "on test.assessment_result_id = it.assessment_result_id and test.learner_id = it.learner_id",
        "test.taken_on",
        "it.learner_id",
        figures={"score": "it.score"},
    ),
    Fact("fct_goal", "{canonical}.goals as it", "it.set_on", "it.learner_id"),
    Fact("fct_pause", "{canonical}.pauses as it", "it.from_on", "it.learner_id"),
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
    Fact(
        "fct_service_request",
        "{canonical}.service_requests as it",
        "{day:it.opened_at}",
        "it.learner_id",
    ),
    Fact("fct_commitment", "{canonical}.commitments as it", "{day:it.made_at}", "it.learner_id"),
    Fact("fct_handover", "{canonical}.handovers as it", "{day:it.handed_over_at}", "it.learner_id"),
    Fact("fct_intervention", "{canonical}.interventions as it", "{day:it.opened_at}", "it.learner_id"),
    Fact(
        "fct_exit_interview",
        "{canonical}.exit_interviews as it",
        "{day:it.interviewed_at}",
        "it.learner_id",
    ),
    Fact(
        "fct_reward",
        "{canonical}.rewards as it",
        "{day:it.granted_at}",
        "it.learner_id",
        figures={"amount": "it.amount"},
    ),
    Fact("fct_contract", _OF_LEARNER_OR_LEAD % "contracts", "{day:it.signed_at}", _LEARNER_OR_LEAD),
    Fact(
        "fct_activity_attendance",
        _OF_LEARNER_OR_LEAD % "activity_attendance",
        "{day:it.registered_at}",
        _LEARNER_OR_LEAD,
    ),
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
    Fact(
        "fct_instalment",
        _OF_ORDER % "instalments",
        "{day:purchase.placed_at}",
        "purchase.learner_id",
        figures={"amount": "it.amount"},
    ),
    Fact(
        "fct_compensation",
        "{canonical}.compensations as it",
        "{day:it.granted_at}",
        "it.learner_id",
        figures={"amount": "it.amount", "hours": "it.hours"},
    ),
    # A coupon that names no learner is the first one's who used it.
    Fact(
        "fct_coupon",
        # Orders are read once, not once per coupon.
        "{canonical}.coupons as it left join ("
        "select distinct on (purchase.coupon_id) purchase.coupon_id, purchase.learner_id "
        "from {canonical}.orders as purchase "
        "where purchase.coupon_id is not null and {day:purchase.placed_at} <= {as_of} "
        "order by purchase.coupon_id, purchase.placed_at, purchase.order_id"
        ") as user_of on user_of.coupon_id = it.coupon_id",
        "{day:it.issued_at}",
        "coalesce(it.learner_id, user_of.learner_id)",
        figures={"coupon_value": "it.value"},
    ),
    # All money that came in or went back lies in lots: as many cents, whatever the number of lots.
    Fact(
        "fct_lot",
        "(select order_id, paid_at as moved_at, amount as billed, 0 as refunded from {canonical}.payments "
        "where status = 'succeeded' union all "
        "select order_id, greatest(resolved_at, requested_at), 0, amount from {canonical}.refunds "
        "where resolution = 'paid' and resolved_at is not null) as it "
        "inner join {canonical}.orders as purchase on purchase.order_id = it.order_id",
        "{day:it.moved_at}",
        "purchase.learner_id",
        where=_ORDERED,
        figures={"billed_amount": "it.billed", "refunded_amount": "it.refunded"},
        is_counted=False,
    ),
    Fact(
        "fct_prepayment_check",
        _OF_ORDER % "payments" + " inner join {canonical}.order_lines as line on line.order_id = it.order_id",
        "{day:it.paid_at}",
        "purchase.learner_id",
        where=_ORDERED + " and it.status = 'succeeded' and it.amount > 0 and it.currency = purchase.currency "
        "and purchase.payable_amount > 0 and line.net_amount > 0",
        figures={"charged_amount": "it.amount"},
    ),
)
