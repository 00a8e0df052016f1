"""The tables of the three source systems, as a vendor would have made them.

One definition gives the DDL and the way a simulated column becomes a source value. The kinds:

========== ========================= ==========================================================
kind       in the simulation         in the source
========== ========================= ==========================================================
id         int64                     bigint in sign-up and teaching, text in payments
code:X     int64                     text, the letter before the number (ids of the payment system)
int        int64                     integer
day        int64, days since 1970    date
textday    int64, days since 1970    text ``YYYY-MM-DD``, as typed by hand
at         int64, seconds on the     sign-up: ``timestamp`` without zone, wall time in Shanghai;
           clock in Shanghai         elsewhere: ``timestamptz``
money      int64, cents              numeric(18,2)
num, hours float64                   numeric, numeric(10,2)
bool       int8, -1 unknown          boolean
text       objects                   text
========== ========================= ==========================================================

``NONE`` (the smallest int64), ``nan`` and ``None`` stand for null. The systems have no foreign
keys: real ones keep none, and faults must be possible. Personal columns hold plain values.
"""

from __future__ import annotations

SIGNUP = "signup"
TEACHING = "teaching"
PAYMENTS = "payments"

#: Database of each system.
DATABASES = {SIGNUP: "sim_signup", TEACHING: "sim_teaching", PAYMENTS: "sim_payments"}


def _columns(text: str) -> dict[str, str]:
    return dict(part.split() for part in text.replace("\n", " ").split(",") if part.strip())


#: system -> table -> column -> kind; the first column is the key.
TABLES: dict[str, dict[str, dict[str, str]]] = {
    SIGNUP: {
        "campaigns": _columns("""campaign_id id, name text, channel_code text, starts_on day, ends_on day,
            budget_amount money, currency text, updated_at at"""),
        "channel_costs": _columns("""channel_cost_id id, cost_on day, channel_code text, campus_id id,
            campaign_id id, cost_amount money, currency text, updated_at at"""),
        "leads": _columns("""lead_id id, contact_id id, campus_id id, campaign_id id, channel_code text,
            advisor_id id, learner_id id, learner_name text, learner_birth_date day, learner_grade text,
            subject_interest text, intent text, status text, lost_reason text, is_test bool,
            created_at at, updated_at at"""),
        "contacts": _columns("""contact_id id, campus_id id, name text, phone text, wechat_unionid text,
            email text, relation text, is_decision_maker bool, region text, community text,
            income_band text, education text, occupation text, created_at at, updated_at at"""),
        "touchpoints": _columns("""touchpoint_id id, lead_id id, contact_id id, learner_id id,
            advisor_id id, channel text, direction text, outcome text, sentiment text, note text,
            occurred_at at, updated_at at"""),
        "trials": _columns("""trial_id id, lead_id id, campus_id id, course_id id, teacher_id id,
            booked_at at, scheduled_at at, cancelled_at at, status text, updated_at at"""),
        "advisors": _columns("""advisor_id id, campus_id id, name text, team text, specialty text,
            hired_on day, left_on day, updated_at at"""),
        "contracts": _columns("""contract_id id, lead_id id, learner_id id, contact_id id, campus_id id,
            order_id code:O, status text, signed_at at, cancelled_at at, updated_at at"""),
        "handovers": _columns("""handover_id id, learner_id id, advisor_id id, teacher_id id,
            pain_points text, goals text, first_lesson_plan text, documents_at at, account_at at,
            timetable_at at, handed_over_at at, accepted_at at, updated_at at"""),
        "activities": _columns("""activity_id id, campus_id id, kind text, title text, starts_at at,
            capacity int, updated_at at"""),
        "activity_attendance": _columns("""activity_attendance_id id, activity_id id, contact_id id,
            lead_id id, learner_id id, is_attended bool, registered_at at, updated_at at"""),
        "referrals": _columns("""referral_id id, referrer_learner_id id, referrer_contact_id id,
            referred_lead_id id, source_type text, referred_at at, updated_at at"""),
        "rewards": _columns("""reward_id id, referral_id id, beneficiary text, learner_id id, kind text,
            amount money, currency text, granted_at at, updated_at at"""),
        "consents": _columns("""consent_id id, contact_id id, learner_id id, purpose text,
            is_granted bool, is_guardian bool, given_at at"""),
        "complaints": _columns("""complaint_id id, learner_id id, contact_id id, campus_id id,
            category text, severity text, text text, resolution text, resolution_cost_amount money,
            opened_at at, closed_at at, updated_at at"""),
        "service_requests": _columns("""service_request_id id, learner_id id, contact_id id, campus_id id,
            kind text, text text, opened_at at, first_reply_at at, closed_at at, updated_at at"""),
        "exit_interviews": _columns("""exit_interview_id id, learner_id id, advisor_id id,
            reason_code text, offer_code text, is_offer_accepted bool, answered_at at, note text,
            interviewed_at at, updated_at at"""),
        "interventions": _columns("""intervention_id id, learner_id id, signal_code text, owner_id id,
            action text, result text, opened_at at, closed_at at, updated_at at"""),
        "commitments": _columns("""commitment_id id, learner_id id, contact_id id, owner_id id, kind text,
            due_on day, made_at at, kept_at at, updated_at at"""),
        "experiments": _columns("""experiment_id id, name text, metric_code text, window_days int,
            planned_units int, treatment_share num, starts_on day, ends_on day, updated_at at"""),
        "experiment_assignments": _columns("""experiment_assignment_id id, experiment_id id, lead_id id,
            learner_id id, arm text, assigned_at at, responded_at at, updated_at at"""),
    },
    TEACHING: {
        "campuses": _columns("""campus_id id, name text, city text, district text, opened_on day,
            closed_on day, updated_at at"""),
        "staff": _columns("""staff_id id, campus_id id, name text, role text, hired_on day, left_on day,
            updated_at at"""),
        "courses": _columns("""course_id id, name text, subject text, level text, school_level text,
            product_line text, delivery text, total_lessons int, lesson_hours hours,
            list_price_amount money, currency text, is_terminal bool, next_course_id id, updated_at at"""),
        "teachers": _columns("""teacher_id id, staff_id id, campus_id id, subject text, level text,
            updated_at at"""),
        "classes": _columns("""class_id id, course_id id, campus_id id, teacher_id id, term text,
            capacity int, starts_on day, ends_on day, status text, successor_class_id id, updated_at at"""),
        "learners": _columns("""learner_id id, household_id id, campus_id id, name text, nickname text,
            birth_date textday, gender text, grade text, school text, region text, guardian_name text,
            guardian_phone text, guardian_wechat_unionid text, acquisition_channel text, status text,
            is_test bool, is_staff_child bool, registered_at at, updated_at at"""),
        "learner_traits": _columns("""trait_id id, learner_id id, kind text, code text, noted_at at,
            noted_by text, withdrawn_at at, updated_at at"""),
        "enrolments": _columns("""enrolment_id id, learner_id id, course_id id, class_id id, campus_id id,
            order_line_id code:L, delivery text, status text, enrolled_on day, starts_on day, ends_on day,
            withdrawn_on day, withdrawal_reason text, completed_on day, result text, updated_at at"""),
        "lessons": _columns("""lesson_id id, class_id id, campus_id id, teacher_id id, starts_at at,
            hours hours, status text, topic text, updated_at at"""),
        "attendance": _columns("""attendance_id id, lesson_id id, learner_id id, enrolment_id id,
            outcome text, hours hours, marked_at at, makes_up_lesson_id id, leave_requested_at at,
            leave_reason text, updated_at at"""),
        "homework": _columns("""homework_id id, learner_id id, enrolment_id id, lesson_id id, topic text,
            due_on textday, submitted_at at, score num, updated_at at"""),
        "assessments": _columns("""assessment_result_id id, learner_id id, enrolment_id id, course_id id,
            kind text, topic text, taken_on day, score num, max_score num, is_banked bool, updated_at at"""),
        "assessment_topics": _columns("""assessment_topic_id id, assessment_result_id id, learner_id id,
            topic text, score num, max_score num, updated_at at"""),
        "learning_sessions": _columns("""session_id id, learner_id id, enrolment_id id, kind text,
            activity_count int, duration_minutes num, started_at at"""),
        "goals": _columns("""goal_id id, learner_id id, enrolment_id id, subject text, baseline_score num,
            expected_score num, actual_score num, set_on day, due_on day, measured_on day, updated_at at"""),
        "pauses": _columns("""pause_id id, learner_id id, from_on day, to_on day, reason text,
            approved_at at, updated_at at"""),
        "surveys": _columns("""survey_id id, learner_id id, contact_id id, kind text, score int,
            comment text, responded_at at, updated_at at"""),
        "closed_days": _columns("""closed_day_id id, campus_id id, closed_on day, reason text,
            updated_at at"""),
        "exam_calendar": _columns("""exam_id id, name text, subject text, grade text, region text,
            exam_on day, updated_at at"""),
    },
    PAYMENTS: {
        "orders": _columns("""order_id code:O, learner_id id, contract_id id, payer_name text,
            payer_phone text, payer_wechat_unionid text, campus_id id, coupon_id code:V, status text,
            list_amount money, discount_amount money, payable_amount money, currency text, placed_at at,
            updated_at at"""),
        "order_lines": _columns("""order_line_id code:L, order_id code:O, course_id id, product_line text,
            kind text, delivery text, is_gift bool, paid_hours hours, gift_hours hours, list_amount money,
            net_amount money, granted_on day, starts_on day, ends_on day, updated_at at"""),
        "payments": _columns("""payment_id code:P, order_id code:O, instalment_id code:I, method text,
            status text, amount money, fee_amount money, currency text, channel_transaction_id text,
            paid_at at, updated_at at"""),
        "refunds": _columns("""refund_id code:R, order_id code:O, order_line_id code:L, payment_id code:P,
            amount money, currency text, is_whole_line bool, reason_code text, resolution text,
            channel_refund_id text, requested_at at, resolved_at at, updated_at at"""),
        "instalments": _columns("""instalment_id code:I, order_id code:O, instalment_no int, due_on day,
            amount money, currency text, status text, updated_at at"""),
        "coupons": _columns("""coupon_id code:V, learner_id id, campaign_id id, kind text, value money,
            currency text, issued_at at, expires_on day, used_at at, updated_at at"""),
        "compensations": _columns("""compensation_id code:C, learner_id id, complaint_id id, kind text,
            amount money, hours hours, currency text, granted_at at, updated_at at"""),
        "operating_costs": _columns("""operating_cost_id code:K, campus_id id, month_on day, kind text,
            amount money, currency text, updated_at at"""),
    },
}

#: Columns whose change time is not ``updated_at``: rows that are only ever added.
CHANGE_TIME = {"consents": "given_at", "learning_sessions": "started_at"}

#: table -> system.
SYSTEM_OF = {table: system for system, tables in TABLES.items() for table in tables}


def key_of(table: str) -> str:
    """The key column of a table."""
    return next(iter(TABLES[SYSTEM_OF[table]][table]))


def change_time_of(table: str) -> str:
    """The column that tells when a row of the table last changed."""
    return CHANGE_TIME.get(table, "updated_at")


def source_type(system: str, kind: str) -> str:
    """Postgres type of a column of that kind in that system."""
    if kind.startswith("code:"):
        return "text"
    return {
        "id": "text" if system == PAYMENTS else "bigint",
        "int": "integer",
        "day": "date",
        "textday": "text",
        "at": "timestamp" if system == SIGNUP else "timestamptz",
        "money": "numeric(18,2)",
        "num": "numeric",
        "hours": "numeric(10,2)",
        "bool": "boolean",
        "text": "text",
    }[kind]


def create_table(system: str, table: str) -> str:
    """The statement that makes a table, without its keys and indexes (they come after the load)."""
    columns = ",\n    ".join(
        f"{column} {source_type(system, kind)}" for column, kind in TABLES[system][table].items()
    )
    return f"create table public.{table} (\n    {columns}\n)"


def create_indexes(table: str) -> list[str]:
    """Primary key, and the index that pulls by change time need."""
    key, changed = key_of(table), change_time_of(table)
    return [
        f"alter table public.{table} add primary key ({key})",
        f"create index {table}_by_change on public.{table} ({changed}, {key})",
    ]
