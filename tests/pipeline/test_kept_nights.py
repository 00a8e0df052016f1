"""What a night keeps of the night before: accounts, profiles, values and costs by lists of their own, and models of which
nothing they read has changed. Night after night must be what a full build makes of the same rows.
"""

from __future__ import annotations

import logging
from datetime import date, timedelta
from typing import Any

import pytest

from lifecourse import building
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical, snapshot
from tests.pipeline.rows import at, attended, enrolment, lead, learner, lesson, line, order, payment

pytestmark = pytest.mark.slow

FIRST = date(2026, 2, 10)
SECOND = FIRST + timedelta(days=1)

MOTHER, FATHER, AUNT, OF_NOBODY = "K1", "K2", "K3", "K4"
PHONE, OTHER_PHONE = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"


def contact(contact_id: str, **more: Any) -> dict[str, Any]:
    return {
        "contact_id": contact_id, "relation": "mother", "created_at": at("2025-08-01"), "updated_at": at("2025-08-01"),
        "income_band": "middle", **more,
    }  # fmt: skip


def touch(touchpoint_id: str, contact_id: str, day: str, **more: Any) -> dict[str, Any]:
    return {
        "touchpoint_id": touchpoint_id, "contact_id": contact_id, "channel": "call", "direction": "in",
        "occurred_at": at(day), **more,
    }  # fmt: skip


def cost(cost_id: str, month: str, amount: int, campus_id: str | None = "P1", **more: Any) -> dict[str, Any]:
    return {
        "operating_cost_id": cost_id, "campus_id": campus_id, "month_on": date.fromisoformat(month), "kind": "teaching",
        "amount": amount, "currency": "CNY", **more,
    }  # fmt: skip


Rows = dict[str, list[dict[str, Any]]]
LEARNERS = ("1", "2", "3", "4", "5")
#: Learners 1 and 2 have one household; the aunt asked for learner 3, nobody for 4 and 5, and 6 has not bought yet.
AT_FIRST: Rows = {
    "campuses": [{"campus_id": "P1", "name": "East"}, {"campus_id": "P2", "name": "West"}],
    "courses": [
        {"course_id": each, "name": subject, "subject": subject, "product_line": "arts", "delivery": "scheduled",
         "school_level": "primary"}
        for each, subject in (("C1", "piano"), ("C2", "violin"), ("C3", "cello"))
    ],
    "classes": [{"class_id": "A1", "course_id": "C1", "campus_id": "P1", "status": "open"},
                {"class_id": "A2", "course_id": "C1", "campus_id": "P2", "status": "open"}],
    "learners": [learner(each, grade="G3", updated_at=at("2025-02-10")) for each in (*LEARNERS, "6")],
    "contacts": [contact(MOTHER, phone=PHONE), contact(FATHER, relation="father", phone=OTHER_PHONE), contact(AUNT),
                 contact(OF_NOBODY)],
    "leads": [lead("L1", "1", contact_id=MOTHER), lead("L2", "2", contact_id=MOTHER), lead("L3", "3", contact_id=AUNT),
              lead("L6", "6"), lead("L9", contact_id=FATHER, subject_interest="violin")],
    "referrals": [{"referral_id": "R1", "referrer_learner_id": "1", "referred_lead_id": "L6",
                   "referred_at": at("2026-01-15")}],
    "touchpoints": [
        touch("T1", MOTHER, "2025-08-21", lead_id="L1"),
        touch("T2", MOTHER, "2025-08-22", lead_id="L1", learner_id="1"),
        touch("T3", AUNT, "2025-08-23", lead_id="L3"),
        # Names nobody but the contact, and lies ahead.
        touch("T4", AUNT, "2026-02-11"),
    ],
    "contracts": [{"contract_id": "V1", "lead_id": "L1", "learner_id": "1", "contact_id": MOTHER, "status": "signed",
                   "signed_at": at("2025-09-02")},
                  {"contract_id": "V2", "contact_id": AUNT, "status": "signed", "signed_at": at("2026-02-11")}],
    "orders": [order(f"O{each}", each, "2025-08-14", payer_phone=PHONE if each == "1" else None) for each in LEARNERS],
    "order_lines": [line(f"O{each}", "2025-09-01", "2026-06-30") for each in LEARNERS],
    "payments": [payment(f"O{each}", "2025-08-14") for each in LEARNERS],
    "enrolments": [*(enrolment(f"O{each}", each, "2025-08-14", course_id="C1") for each in LEARNERS),
                   enrolment("O2", "2", "2025-10-01", enrolment_id="O2-c", course_id="C3", class_id=None)],
    # The first lesson of all leaves the half year on the second day; learner 2 learns at both campuses.
    "lessons": [lesson("X0", "2025-08-15"), lesson("X1", "2025-12-03"), lesson("X2", "2026-01-07"),
                lesson("X3", "2025-12-10", class_id="A2", campus_id="P2")],
    "attendance": [*(attended(f"{lesson_id}-{each}", each, lesson_id, f"O{each}")
                     for lesson_id in ("X0", "X1", "X2") for each in LEARNERS),
                   attended("X3-2", "2", "X3", "O2")],
    "learner_traits": [{"trait_id": "Y1", "learner_id": "4", "kind": "interest", "code": "drawing",
                        "noted_at": at("2026-02-11")}],
    "operating_costs": [cost("G1", "2025-12-01", 100), cost("G2", "2025-12-01", 50, None), cost("G3", "2026-01-01", 90)],
}  # fmt: skip
#: On the first day once more: every way in which somebody's figures change though the customer's own facts do not.
LATE: Rows = {
    # The father has married the aunt, as it were: another phone, another income; a talk was with somebody else.
    "contacts": [
        contact(FATHER, relation="father", phone=PHONE, income_band="high", updated_at=at("2026-02-09"))
    ],
    "touchpoints": [
        touch("T2", AUNT, "2025-08-22", lead_id="L1", learner_id="1"),
        touch("T5", MOTHER, "2026-02-09"),
    ],
    "contracts": [
        {
            "contract_id": "V1",
            "lead_id": "L1",
            "learner_id": "1",
            "contact_id": AUNT,
            "status": "signed",
            "signed_at": at("2025-09-02"),
        }
    ],
}
#: All that was shared out of a month: who has no share any more is valued anew as well.
GONE_LATE = {"operating_costs": ["G3"]}
#: On the second day nothing is loaded: a lesson leaves the half year, records grow stale, periods earn, a trait holds.
#: On the second day once more: hours of one learner in a month shared out, and a subject that nobody had taken.
LATER: Rows = {
    "attendance": [attended("X1-5", "5", "X1", "O5", "absent")],
    "enrolments": [enrolment("O4", "4", "2026-02-01", enrolment_id="O4-v", course_id="C2", class_id=None)],
    # Booked late for a month that was shared out, and for one that is not.
    "operating_costs": [cost("G4", "2025-12-01", 7), cost("G5", "2026-01-01", 60)],
    # Whom learner 1 referred buys: only the other's rows are loaded.
    "orders": [order("O6", "6", "2026-02-10")],
    "order_lines": [line("O6", "2026-02-10", "2026-06-30")],
    "payments": [payment("O6", "2026-02-10")],
}
#: A talk, and a subject of learner 2, of whom nothing else changes.
GONE = {"touchpoints": ["T3"], "courses": ["C3"]}


def test_every_night_is_what_a_full_build_makes_of_it(
    warehouse: Warehouse, module_warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    """The same loads in two warehouses: one builds upon the night before, the other everything every night."""
    nightly, whole = Canonical(warehouse), Canonical(module_warehouse)

    def night(day: date, rows: Rows, gone: dict[str, list[str]]) -> dict[str, str]:
        for canonical in (nightly, whole):
            canonical.load(rows, gone)
            canonical.deliver(day)
        caplog.clear()
        with caplog.at_level(logging.INFO, "lifecourse.building.nights"):
            build = building.build(day, into=warehouse)
        models = [record.args for record in caplog.records if record.name == "lifecourse.building.nights"]
        said = {args[1]: args[2] for args in models if isinstance(args, tuple)}
        assert (build.kind == "incremental") == bool(said)
        expected = building.build(day, full=True, into=module_warehouse)
        assert (build.status, expected.kind, expected.status) == ("published", "full", "published")
        for schema in ("core", "marts"):
            built, full = snapshot(warehouse, schema), snapshot(module_warehouse, schema)
            differing = {name for name in built.keys() | full.keys() if built.get(name) != full.get(name)}
            assert {name: (built.get(name), full.get(name)) for name in differing} == {}, (day, schema)
        return {str(model): str(status) for model, status in said.items()}

    night(FIRST, AT_FIRST, {})
    night(FIRST, LATE, GONE_LATE)
    night(SECOND, {}, {})
    with warehouse.connect(Role.TRANSFORMER) as connection:
        shared_anew = connection.execute("select count(*) from core.changed_cost_month").fetchone()
        shared = connection.execute(
            "select count(*), count(distinct campus_id), min(common_amount) > 0 from core.fct_cost_to_serve_month"
            " where month_on = '2025-12-01'"
        ).fetchone()
    assert (shared_anew, shared) == ((0,), (6, 2, True))
    said = night(SECOND, LATER, GONE)
    unchanged = ("dim_class", "dim_exam", "dim_teacher", "mart_experiment")
    changed = ("fct_cost_to_serve_month", "mart_customer_value", "dim_account", "mart_campus_loyalty")
    assert {model: said[model] for model in (*unchanged, *changed)} == {
        **dict.fromkeys(unchanged, "unchanged"),
        **dict.fromkeys(changed, "success"),
    }
    with warehouse.connect(Role.TRANSFORMER) as connection:
        referrers = connection.execute(
            "select sum(referrer_students) from marts.mart_campus_loyalty where month_on = '2026-02-01'"
        ).fetchone()
    assert referrers == (1,)
