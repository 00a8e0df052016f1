"""Whole builds on canonical tables made by hand: night after night, changed in every way that rows change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

from lifecourse import building, contract
from lifecourse.building.dbt import Dbt, NodeOutcome
from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical, snapshot
from tests.pipeline.rows import at, attended, enrolment, lead, learner, lesson, line, order, payment

pytestmark = pytest.mark.slow

FIRST = date(2026, 2, 10)
SECOND = FIRST + timedelta(days=1)
FIRST_NIGHT: dict[str, list[dict[str, Any]]] = {
    "campuses": [{"campus_id": "P1", "name": "East"}, {"campus_id": "P2", "name": "West"}],
    "courses": [{"course_id": "K1", "name": "Piano", "product_line": "arts", "delivery": "scheduled"}],
    "classes": [{"class_id": "A1", "course_id": "K1", "campus_id": "P1", "status": "open"}],
    "learners": [learner(each) for each in ("1", "2", "3", "4", "5", "6")]
                + [learner("7", is_test=True), learner("9", is_test=True)],
    "leads": [lead("L1", "1"), lead("L2", "2"), lead("L8", contact_id="K8"), lead("L9", campus_id="P2"),
              # A zombie on the second day, and a day late to be taken up.
              lead("L11", created_at=at("2025-12-12")), lead("L12", created_at=at("2026-02-07"))],
    "touchpoints": [
        {"touchpoint_id": "T1", "lead_id": "L8", "channel": "call", "direction": "out", "occurred_at": at("2025-08-21")},
        {"touchpoint_id": "T2", "lead_id": "L1", "learner_id": "1", "channel": "call", "direction": "in",
         "occurred_at": at("2025-08-22")},
    ],
    "trials": [
        {"trial_id": "S8", "lead_id": "L8", "booked_at": at("2026-02-01"), "scheduled_at": at("2026-02-11"),
         "status": "booked"},
    ],
    "orders": [
        order("O1", "1", "2025-09-02"),
        order("O2", "2", "2025-09-03"),
        order("O3", "3", "2026-01-02"),
        order("O4", "4", "2026-02-01", payable=0),
        order("O5", "5", "2026-02-02"),
    ],
    "order_lines": [
        line("O1", "2025-09-08", "2026-01-11"),
        line("O2", "2025-09-08", "2026-06-30"),
        line("O3", "2026-01-05", "2026-06-30"),
        # A gift that is granted on the second day, without a load.
        line("O4", "2026-02-11", "2026-03-11", is_gift=True, granted_on=date(2026, 2, 11)),
        line("O5", "2026-02-05", "2026-06-30"),
    ],
    "payments": [payment("O1", "2025-09-02"), payment("O2", "2025-09-03"), payment("O3", "2026-01-02"),
                 payment("O5", "2026-02-02", status="failed")],
    "enrolments": [enrolment("O1", "1", "2025-09-02"), enrolment("O2", "2", "2025-09-03"),
                   enrolment("O3", "3", "2026-01-02")],
    "lessons": [lesson("X1", "2026-02-03"), lesson("X2", "2026-02-11"), lesson("X3", "2026-02-05")],
    "attendance": [attended("A1", "2", "X1", "O2"), attended("A2", "3", "X1", "O3", "absent"),
                   # Marked ahead of its lesson: counts from the lesson's day on.
                   attended("A3", "3", "X2", "O3"), attended("A4", "2", "X3", "O2", "late")],
    "homework": [
        {"homework_id": "H1", "learner_id": "2", "due_on": date(2026, 2, 9), "submitted_at": at("2026-02-08")},
        {"homework_id": "H2", "learner_id": "3", "due_on": date(2026, 2, 11)},
        {"homework_id": "H3", "learner_id": "2", "enrolment_id": "O2-e", "topic": "scales", "due_on": date(2026, 2, 5),
         "submitted_at": at("2026-02-06"), "score": 60},
        {"homework_id": "H4", "learner_id": "3", "enrolment_id": "O3-e", "topic": "scales", "due_on": date(2026, 2, 6)},
    ],
    "learning_sessions": [
        {"session_id": "Z1", "learner_id": "2", "kind": "video", "activity_count": 3,
         "started_at": at("2026-02-10", "23:30")},
        {"session_id": "Z2", "learner_id": "2", "kind": "login", "activity_count": 0,
         "started_at": at("2026-02-10", "00:30")},
    ],
    "assessments": [
        {"assessment_result_id": "E1", "learner_id": "2", "enrolment_id": "O2-e", "kind": "unit", "topic": "scales",
         "taken_on": date(2026, 2, 4), "score": 55, "max_score": 100},
        # Taken on the second day.
        {"assessment_result_id": "E2", "learner_id": "2", "kind": "mock", "topic": "rhythm", "taken_on": date(2026, 2, 11),
         "score": 90, "max_score": 100},
    ],
    "assessment_topics": [
        {"assessment_topic_id": "E1-1", "assessment_result_id": "E1", "learner_id": "2", "topic": "scales", "score": 15,
         "max_score": 50},
        {"assessment_topic_id": "E1-2", "assessment_result_id": "E1", "learner_id": "2", "topic": "chords", "score": 40,
         "max_score": 50},
    ],
    "pauses": [{"pause_id": "B1", "learner_id": "5", "from_on": date(2026, 2, 9), "reason": "travel"}],
    "referrals": [{"referral_id": "R1", "referrer_learner_id": "2", "referred_lead_id": "L8",
                   "referrer_contact_id": "K2", "referred_at": at("2025-08-19")}],
    "complaints": [{"complaint_id": "Q1", "learner_id": "3", "opened_at": at("2026-02-06")}],
    "contacts": [{"contact_id": "K2", "community": "00000000-0000-0000-0000-00000000000a"},
                 # Told on the second day, without a load.
                 {"contact_id": "K8", "community": "00000000-0000-0000-0000-00000000000a", "income_band": "low",
                  "updated_at": at("2026-02-11")}],
    # Taken back on the second day, and noted on it of somebody of whom nothing else changes.
    "learner_traits": [{"trait_id": "Y2", "learner_id": "2", "kind": "taboo", "code": "late_call",
                        "noted_at": at("2026-02-01"), "withdrawn_at": at("2026-02-11")},
                       {"trait_id": "Y7", "learner_id": "7", "kind": "personality", "code": "patient",
                        "noted_at": at("2026-02-11")}],
    "contracts": [{"contract_id": "V1", "lead_id": "L1", "learner_id": "1", "signed_at": at("2025-09-02"), "status": "signed"},
                  # Cancelled on the second day, without a load; and one that names the lead of somebody else.
                  {"contract_id": "V3", "learner_id": "3", "signed_at": at("2026-01-02"), "status": "cancelled",
                   "cancelled_at": at("2026-02-11")},
                  {"contract_id": "V8", "lead_id": "L8", "signed_at": at("2026-02-05"), "status": "signed"}],
    "handovers": [{"handover_id": "B3", "learner_id": "3", "handed_over_at": at("2026-01-03"), "documents_at": at("2026-01-04"),
                   "account_at": at("2026-01-05"), "timetable_at": at("2026-02-11"), "accepted_at": at("2026-02-11")}],
    "activities": [{"activity_id": "E1", "campus_id": "P1", "kind": "lecture", "starts_at": at("2026-02-11")}],
    "activity_attendance": [
        {"activity_attendance_id": "E1-1", "activity_id": "E1", "learner_id": "2", "registered_at": at("2026-02-09"),
         "updated_at": at("2026-02-09")},
        {"activity_attendance_id": "E1-2", "activity_id": "E1", "lead_id": "L8", "registered_at": at("2026-02-09"),
         "is_attended": True, "updated_at": at("2026-02-11")},
    ],
    "service_requests": [{"service_request_id": "W1", "learner_id": "2", "opened_at": at("2026-02-01"),
                          "first_reply_at": at("2026-02-02"), "closed_at": at("2026-02-11")}],
    # Due on the first day, broken on the second.
    "commitments": [{"commitment_id": "M1", "learner_id": "4", "due_on": FIRST, "made_at": at("2026-02-01")}],
    "interventions": [{"intervention_id": "I3", "learner_id": "3", "signal_code": "complaint", "result": "kept",
                       "opened_at": at("2026-02-07"), "closed_at": at("2026-02-08")},
                      # It is asked on the second day whether the customer is still there.
                      {"intervention_id": "I2", "learner_id": "2", "signal_code": "inactive", "result": "kept",
                       "opened_at": at("2025-12-01"), "closed_at": at("2025-12-13")}],
    "exit_interviews": [{"exit_interview_id": "J1", "learner_id": "1", "reason_code": "price", "offer_code": "pause",
                         "is_offer_accepted": True, "interviewed_at": at("2026-02-09"), "answered_at": at("2026-02-11")}],
    "rewards": [{"reward_id": "F1", "referral_id": "R1", "beneficiary": "referrer", "learner_id": "2",
                 "granted_at": at("2026-02-01")}],
    "consents": [{"consent_id": "N1", "learner_id": "2", "purpose": "marketing", "is_granted": True, "is_guardian": True,
                  "given_at": at("2025-09-03")}],
    "closed_days": [{"closed_day_id": "D1", "closed_on": date(2026, 2, 9)}],
    "goals": [
        {"goal_id": "G1", "learner_id": "2", "subject": "maths", "expected_score": 80, "actual_score": 60,
         "set_on": date(2025, 10, 1), "due_on": date(2026, 1, 31), "measured_on": date(2026, 1, 30)},
        # Measured ahead of its day: counts from that day on.
        {"goal_id": "G2", "learner_id": "2", "subject": "maths", "expected_score": 80, "actual_score": 90,
         "set_on": date(2025, 10, 1), "measured_on": date(2026, 2, 11)},
    ],
}  # fmt: skip

SECOND_NIGHT: dict[str, list[dict[str, Any]]] = {
    # New: a learner with everything, and a lead that turns out to be learner 6.
    "learners": [learner("8", registered_at=at("2026-02-11")), learner("2", campus_id="P2")],
    "leads": [lead("L8", "6", status="converted", contact_id="K8", updated_at=at("2026-02-11")), lead("L10", "8")],
    # An answer comes between contacts that were there, and somebody else is named with the lead of learner 1.
    "touchpoints": [
        {"touchpoint_id": "T3", "lead_id": "L8", "channel": "call", "direction": "in", "occurred_at": at("2025-08-20")},
        {"touchpoint_id": "T4", "lead_id": "L1", "learner_id": "2", "channel": "wechat", "direction": "out",
         "occurred_at": at("2026-02-10")},
    ],
    "orders": [order("O8", "8", "2026-02-11")],
    "order_lines": [line("O8", "2026-02-12", "2026-06-30")],
    "payments": [payment("O8", "2026-02-11"), payment("O5", "2026-02-11")],
    # Late: it happened long before the first night.
    "learning_sessions": [{"session_id": "Z3", "learner_id": "1", "kind": "video", "activity_count": 1,
                           "started_at": at("2026-01-20")}],
    # Changed: a complaint closes, a lesson was on another day, somebody leaves.
    "complaints": [{"complaint_id": "Q1", "learner_id": "3", "opened_at": at("2026-02-06"),
                    "closed_at": at("2026-02-11")}],
    "lessons": [lesson("X1", "2026-02-04"), lesson("X4", "2026-02-11", class_id="A2")],
    # Learner 3 makes up in another class for what was missed.
    "attendance": [attended("A5", "3", "X4", "O3", "made_up") | {"makes_up_lesson_id": "X1"}],
    "homework": [{"homework_id": "H4", "learner_id": "3", "enrolment_id": "O3-e", "topic": "scales",
                  "due_on": date(2026, 2, 6), "submitted_at": at("2026-02-11"), "score": 70}],
    "enrolments": [enrolment("O3", "3", "2026-01-02", status="withdrawn", withdrawn_on=date(2026, 2, 11))],
    # Late: noted before the first night.
    "learner_traits": [{"trait_id": "Y3", "learner_id": "3", "kind": "interest", "code": "drawing",
                        "noted_at": at("2026-02-03")}],
    "closed_days": [{"closed_day_id": "D2", "closed_on": date(2026, 2, 17)}],
}  # fmt: skip
GONE = {"attendance": ["A4"], "touchpoints": ["T2"], "leads": ["L9"]}
#: Lead L8 on the first night, when nobody knew that it was of learner 6.
PROSPECT_OF_6 = "C000000009"


@dataclass
class Nights:
    """Two nights and what came after them, as every test of this file wants to see them."""

    warehouse: Warehouse
    first: building.Build
    second: building.Build
    full: building.Build
    old_day: building.Build
    core: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    published: int = 0


def rows(warehouse: Warehouse, query: str, role: Role = Role.ADMIN) -> list[tuple[Any, ...]]:
    with warehouse.connect(role) as connection:
        return connection.execute(query.encode()).fetchall()


def customer(warehouse: Warehouse, learner_id: str) -> str:
    ((found,),) = rows(
        warehouse, f"select customer_id from core.customer_registry where learner_id = '{learner_id}'"
    )
    return str(found)


@pytest.fixture(scope="module")
def nights(module_warehouse: Warehouse) -> Nights:
    warehouse = module_warehouse
    canonical = Canonical(warehouse)
    canonical.load(FIRST_NIGHT)
    canonical.deliver(FIRST)
    first = building.build(FIRST, into=warehouse)
    core = {"first": snapshot(warehouse, "core")}
    canonical.load(SECOND_NIGHT, GONE)
    canonical.deliver(SECOND)
    second = building.build(SECOND, into=warehouse)
    core["second"] = snapshot(warehouse, "core")
    core["marts"] = snapshot(warehouse, "marts")
    changed = {found for (found,) in rows(warehouse, "select customer_id from core.changed_customer")}
    publications = rows(warehouse, "select count(*) from meta.publication")
    old_day = building.build(FIRST, into=warehouse)
    core["old day"] = snapshot(warehouse, old_day.schema_name)
    core["marts after"] = snapshot(warehouse, "marts")
    full = building.transform(building.begin(SECOND, full=True, into=warehouse), warehouse)
    core["full"] = snapshot(warehouse, "core")
    return Nights(warehouse, first, second, full, old_day, core, changed, publications[0][0])


def test_the_first_night_is_whole_and_the_second_is_not(nights: Nights) -> None:
    assert (nights.first.kind, nights.first.status) == ("full", "published")
    assert (nights.second.kind, nights.second.status) == ("incremental", "published")
    assert set(nights.second.stage_seconds) == {"identity", "seed", "run", "test", "audit", "publish"}
    assert nights.published == 2


def test_a_night_computes_those_touched_and_those_due(nights: Nights) -> None:
    expected = {
        customer(nights.warehouse, each)
        # Leads of nobody are customers too: one is gone, two change by time alone.
        for each in ("1", "2", "3", "4", "5", "6", "7", "8", "lead:L9", "lead:L11", "lead:L12")
    }
    expected.add(PROSPECT_OF_6)
    assert nights.changed == expected, "learner 9 was neither touched nor due"
    assert nights.second.changed_customers == len(expected)


def test_incremental_equals_full(nights: Nights) -> None:
    assert nights.full.kind == "full"
    second, full = nights.core["second"], nights.core["full"]
    assert set(second) == set(full)
    assert {name for name in second if second[name] != full[name]} == set()
    assert all(full[name] for name in ("fct_lead", "fct_payment", "fct_lifecycle_span", "dim_customer"))


def test_an_action_of_an_earlier_list_has_its_result(nights: Nights) -> None:
    # Learner 1 was lapsing when the first list was made, nobody called, and the day after the customer had left.
    lapsing = f"signal_lapsing:{customer(nights.warehouse, '1')}"
    assert any(lapsing in row for row in nights.core["first"]["mart_next_action"])
    assert nights.core["first"]["fct_action_result"] == []
    found = rows(
        nights.warehouse,
        "select first_listed_on, done_on, is_done_in_time, signal_closed_on, is_mature from marts.fct_action_result"
        f" where action_id like '{lapsing}:%'",
    )
    assert found == [(SECOND, None, False, SECOND, False)]


def test_what_was_listed_is_told_of_published_builds_only(nights: Nights) -> None:
    logged = dict(rows(nights.warehouse, "select build_id, count(*) from core.action_log group by build_id"))
    assert nights.old_day.build_id not in logged, "nobody works on the list of a rebuilt day"
    assert set(logged) <= {nights.first.build_id, nights.second.build_id, nights.full.build_id}
    listed_first = set(nights.core["first"]["mart_next_action"])
    assert logged[nights.first.build_id] == len(listed_first)
    # The list of the second day has no results yet; what the build that was never published listed has none ever.
    assert len(nights.core["second"]["fct_action_result"]) == len(listed_first)
    assert nights.core["full"]["fct_action_result"] == nights.core["second"]["fct_action_result"]
    assert nights.core["old day"]["fct_action_result"] == []


def test_every_staging_view_finds_a_few_rows_by_index(nights: Nights) -> None:
    # A view that Postgres cannot merge into the query that reads it is read whole, however few customers changed.
    read_whole = set()
    with nights.warehouse.connect(Role.ADMIN) as connection:
        for way in ("seqscan", "hashjoin", "mergejoin"):
            connection.execute(f"set enable_{way} = off".encode())
        for table in contract.tables().values():
            key = table.key[0]
            plan = connection.execute(
                f"explain select * from (values ('1'), ('2')) as wanted (wanted_key) "
                f"inner join core.stg_{table.name} as staged on staged.{key} = wanted.wanted_key".encode()
            ).fetchall()
            if not any(f"Index Cond: ({key} = " in line for (line,) in plan):
                read_whole.add(table.name)
    assert read_whole == set()


def test_readers_have_what_was_built(nights: Nights) -> None:
    core, marts = nights.core["second"], nights.core["marts"]
    assert {"fct_lead", "fct_lifecycle_span", "dim_customer", "dim_date"} <= set(marts)
    assert {name for name in marts if marts[name] != core[name]} == set()


def test_an_old_day_gives_that_days_answer(nights: Nights) -> None:
    assert (nights.old_day.schema_name, nights.old_day.kind) == ("asof_2026_02_10", "full")
    # What was learnt since about the past belongs to it: a late session, a lesson on another day, another campus,
    # a link of a lead, rows deleted, a payment whose row says another day now. The rest is what was published that
    # night.
    relearnt = {customer(nights.warehouse, each) for each in ("1", "2", "3", "5", "6", "8", "lead:L9")}
    relearnt.add(PROSPECT_OF_6)
    first, again = nights.core["first"], nights.core["old day"]
    for name in (
        "fct_order",
        "fct_payment",
        "fct_order_line",
        "dim_customer",
        "fct_lifecycle_span",
        "fct_risk_signal",
    ):
        of_others = [
            [row for row in table[name] if not any(each in row for each in relearnt)]
            for table in (first, again)
        ]
        assert of_others[0] == of_others[1], name
    # Learner 8, not heard of that night, was a lead by then; the purchase lies ahead.
    spans_of_8 = [row for row in again["fct_lifecycle_span"] if customer(nights.warehouse, "8") in row]
    assert [row.split(",")[3] for row in spans_of_8] == ["prospect"]


def test_an_old_day_harms_nothing(nights: Nights) -> None:
    assert nights.old_day.status == "audited"
    assert nights.core["marts after"] == nights.core["marts"]


def test_analysts_see_an_old_day_and_bi_does_not(nights: Nights) -> None:
    query = "select count(*) from asof_2026_02_10.dim_customer"
    assert rows(nights.warehouse, query, Role.ANALYST)[0][0] == len(nights.core["old day"]["dim_customer"])
    with pytest.raises(Exception, match="permission denied"):
        rows(nights.warehouse, query, Role.BI_READER)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(
            "select purchased_on from core.fct_order where order_id = 'O5'", date(2026, 2, 11), id="failed, then paid"
        ),
        pytest.param(
            "select granted_on from core.fct_order_line where order_id = 'O4'", date(2026, 2, 11), id="gift that was due"
        ),
        pytest.param("select lesson_on from core.fct_attendance where attendance_id = 'A1'", date(2026, 2, 4),
                     id="lesson on another day"),
        pytest.param("select count(*) from core.fct_attendance where attendance_id = 'A3'", 1, id="lesson that was due"),
        pytest.param("select count(*) from core.fct_attendance where attendance_id = 'A4'", 0, id="deleted"),
        pytest.param("select makes_up_lesson_id || ' ' || makes_up_lesson_on from core.fct_attendance"
                     " where attendance_id = 'A5'", "X1 2026-02-04", id="made up"),
        pytest.param("select made_up_on from core.fct_attendance where attendance_id = 'A2'", date(2026, 2, 11),
                     id="missed and made up since"),
        pytest.param("select submission_status || ' ' || days_late from core.fct_homework where homework_id = 'H4'",
                     "late 5", id="handed in after all"),
        pytest.param("select submission_status || coalesce(days_late, -1) from core.fct_homework where homework_id = 'H2'",
                     "missing-1", id="due and missing"),
        pytest.param("select status from core.fct_goal where goal_id = 'G1'", "missed", id="goal missed"),
        pytest.param("select status || gained_score from core.fct_goal where goal_id = 'G2'", None, id="no baseline"),
        pytest.param("select weak_topic_list || ' ' || topics || ' ' || homework_late from core.fct_learning_week"
                     " where customer_id = '{2}' and week_on = '2026-02-02'", "scales 2 1", id="weak in scales"),
        pytest.param("select learners || ' ' || scheduled_seats || ' ' || attended_seats || ' ' || homework_late"
                     " || ' ' || attendance_rate from core.fct_class_week where class_id = 'A1' and week_on = '2026-02-02'",
                     "2 2 1 2 0.5000", id="a week of the class, a seat deleted since"),
        pytest.param("select count(*) from core.fct_assessment_topic where customer_id = '{2}'", 2, id="topics"),
        pytest.param("select count(*) from core.fct_lead where lead_id = 'L9'", 0, id="deleted lead of nobody"),
        pytest.param("select status from core.fct_lead where lead_id = 'L8'", "converted", id="lead that changed"),
        pytest.param("select closed_on from core.fct_complaint where complaint_id = 'Q1'", date(2026, 2, 11),
                     id="complaint that closed"),
        pytest.param("select campus_id from core.dim_customer where customer_id = '{2}'", "P2", id="moved campus"),
        pytest.param("select campus_id from core.fct_survey union all select campus_id from core.fct_learning_day"
                     " where customer_id = '{2}'", "P2", id="facts move along"),
        pytest.param("select customer_id from core.fct_touchpoint where touchpoint_id = 'T1'", "{6}",
                     id="touchpoint of a lead that became a customer"),
        pytest.param("select referred_customer_id from core.fct_referral where referral_id = 'R1'", "{6}",
                     id="referral of that lead"),
        pytest.param("select touch_no from core.fct_touchpoint where touchpoint_id = 'T1'", 2, id="place in the trajectory"),
        pytest.param("select response_hours from core.fct_touchpoint where touchpoint_id = 'T1'", 24, id="answer to a question"),
        pytest.param("select is_zombie from core.fct_lead where lead_id = 'L11'", True, id="lead that nobody answers for"),
        pytest.param("select is_breached from core.fct_process_step where customer_id = 'C000000012'", True, id="deadline passed"),
        pytest.param("select status from core.fct_commitment", "broken", id="promise that was due"),
        pytest.param("select status from core.fct_contract where contract_id = 'V3'", "cancelled", id="contract cancelled"),
        pytest.param("select customer_id from core.fct_contract where contract_id = 'V8'", "{6}", id="contract of that lead"),
        pytest.param("select attended_count from core.fct_activity", 1, id="who came, once noted"),
        pytest.param("select is_activated from core.fct_handover", True, id="timetable given"),
        pytest.param("select resolution_hours from core.fct_service_request", 240, id="request closed"),
        pytest.param("select is_still_customer from core.fct_intervention where intervention_id = 'I2'", True, id="look back"),
        pytest.param("select is_offer_accepted from core.fct_exit_interview", True, id="offer taken"),
        pytest.param("select network from core.fct_referral_network", "neighbour", id="neighbours"),
        pytest.param("select session_count from core.fct_learning_day where learning_on = '2026-02-10'", 2,
                     id="half past midnight and half past eleven are one day"),
        pytest.param("select is_reportable from core.dim_customer where customer_id = '{7}'", False, id="test account"),
        pytest.param("select marketing_consent from core.dim_customer where customer_id = '{2}'", True, id="consent"),
        pytest.param("select valid_from || ' ' || valid_to from core.dim_customer_profile_history"
                     " where customer_id = '{2}' and taboos = 'late_call'", "2026-02-01 2026-02-11", id="taboo taken back"),
        pytest.param("select taboos from core.dim_customer_profile where customer_id = '{2}'", None, id="and gone"),
        pytest.param("select personality from core.dim_customer_profile where customer_id = '{7}'", "patient",
                     id="noted for that day"),
        pytest.param("select told_interests || ' ' || valid_from from core.dim_customer_profile_history"
                     " where customer_id = '{3}' and is_current", "drawing 2026-02-03", id="noted late"),
        pytest.param("select income_band || ' ' || valid_from from core.dim_customer_profile_history"
                     " where customer_id = '{6}' and is_current", "low 2026-02-11", id="background told that day"),
        pytest.param("select current_stage from core.dim_customer where customer_id = '{1}'", "terminated",
                     id="lapsed by time alone"),
        pytest.param("select opened_on || ' ' || closed_on || ' ' || (evidence ->> 'goal_id') from core.fct_risk_signal"
                     " where customer_id = '{2}' and signal_code = 'below_expectation'", "2026-01-31 2026-02-11 G1",
                     id="goal that was missed, and reached when it was due"),
        pytest.param("select base_stage from core.fct_lifecycle_span where customer_id = '{3}' and is_current",
                     "terminated", id="withdrew"),
    ],
)  # fmt: skip
def test_what_the_second_night_knows(nights: Nights, query: str, expected: Any) -> None:
    ids = {each: customer(nights.warehouse, each) for each in "1234567"}
    for learner_id, customer_id in ids.items():
        query = query.replace(f"{{{learner_id}}}", customer_id)
        if isinstance(expected, str):
            expected = expected.replace(f"{{{learner_id}}}", customer_id)
    ((found,),) = rows(nights.warehouse, query)
    assert found == expected


def test_customer_ids_stay(nights: Nights) -> None:
    registry = dict(rows(nights.warehouse, "select learner_id, customer_id from core.customer_registry"))
    assert registry == {
        **{str(n): f"C{n:09}" for n in range(1, 8)},
        "9": "C000000008", "lead:L1": "C000000001", "lead:L2": "C000000002", "lead:L8": "C000000006",
        "lead:L9": "C000000010", "lead:L11": "C000000011", "lead:L12": "C000000012", "8": "C000000013",
        "lead:L10": "C000000013",
    }  # fmt: skip


def test_a_prospect_who_turns_out_to_be_a_customer_is_folded_and_leaves_no_row(nights: Nights) -> None:
    found = rows(
        nights.warehouse,
        "select event, from_id, into_id, rule from marts.fct_identity_merge where level = 'customer'",
    )
    assert found == [("merge", PROSPECT_OF_6, customer(nights.warehouse, "6"), "explicit_learner")]
    assert any(PROSPECT_OF_6 in row for row in nights.core["first"]["dim_customer"])
    for name, held in nights.core["marts"].items():
        if name != "fct_identity_merge":
            assert not any(PROSPECT_OF_6 in row for row in held), name


def test_every_column_of_core_has_a_comment(nights: Nights) -> None:
    without = rows(
        nights.warehouse,
        "select relname, attname from pg_class join pg_attribute on attrelid = pg_class.oid"
        " where relnamespace = 'core'::regnamespace and relkind in ('r', 'v') and attnum > 0 and not attisdropped"
        " and col_description(pg_class.oid, attnum) is null",
    )
    assert without == []


def test_tests_are_on_record(nights: Nights) -> None:
    ((passed, failed),) = rows(
        nights.warehouse,
        "select count(*) filter (where success), count(*) filter (where not success) from meta.check_result"
        f" where stage = 'dbt' and build_id = '{nights.first.build_id}'",
    )
    assert passed > 80
    assert failed == 0


def test_no_token_is_in_core(nights: Nights) -> None:
    carrying = rows(
        nights.warehouse,
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'core' and data_type = 'uuid' and table_name not like 'stg_%'",
    )
    assert carrying == []


class _Interrupted(Exception):
    pass


def test_a_build_that_was_interrupted_resumes(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    canonical = Canonical(warehouse)
    canonical.load(FIRST_NIGHT)
    canonical.deliver(FIRST)
    build_id = building.begin(FIRST, into=warehouse)
    asked: dict[str, list[int]] = {}
    run, test = Dbt.run, Dbt.test

    def counted(self: Dbt, command: str, names: Sequence[str], *more: Any) -> list[NodeOutcome]:
        asked.setdefault(command, []).append(len(names))
        return run(self, command, names, *more)

    def interrupted(self: Dbt, names: Sequence[str], *more: Any) -> list[NodeOutcome]:
        if not asked.setdefault("test", []):
            asked["test"].append(len(names))
            raise _Interrupted
        return test(self, names, *more)

    monkeypatch.setattr(Dbt, "run", counted)
    monkeypatch.setattr(Dbt, "test", interrupted)
    with pytest.raises(_Interrupted):
        building.transform(build_id, warehouse)
    assert building.builds(into=warehouse)[0].status == "failed"
    assert building.begin(FIRST, into=warehouse) == build_id, "the same build is taken up again"
    assert building.transform(build_id, warehouse).status == "built"
    assert asked["run"][0] > 100
    assert asked["run"][1] == 0, "no model is run twice"
    # Something was loaded between failing and trying again: what is done is done again, with it.
    whole = asked["run"][0]
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("update meta.build set status = 'failed' where build_id = %s", (build_id,))
    canonical.load({"learners": [learner("9")]})
    assert building.transform(build_id, warehouse).changed_customers == 8 + 4, "and the leads of nobody"
    assert asked["run"][-1] == whole


def test_a_test_that_fails_stops_the_build_and_says_what_to_do(warehouse: Warehouse) -> None:
    canonical = Canonical(warehouse)
    canonical.load(FIRST_NIGHT)
    canonical.load({"payments": [payment("O2", "2025-09-03", status="odd")]})
    canonical.deliver(FIRST)
    with pytest.raises(LifecourseError) as caught:
        building.build(FIRST, into=warehouse)
    said = str(caught.value)
    assert (
        "test fct_payment_status_accepted (1 rows): a column holds a code that the definition does not know"
        in said
    )
    assert "What to do: see which source value it comes from" in said
    assert "marts still shows the last good build" in said
    assert "odd" not in said
    assert rows(warehouse, "select count(*) from meta.publication") == [(0,)]
    assert building.builds(into=warehouse)[0].error == said
    # The value is mended in the source, and the customer's night goes on.
    canonical.load({"payments": [payment("O2", "2025-09-03")]})
    assert building.build(FIRST, into=warehouse).status == "published"


def test_a_build_that_is_killed_is_built_to_the_end_by_the_next(warehouse: Warehouse) -> None:
    canonical = Canonical(warehouse)
    canonical.load(FIRST_NIGHT)
    canonical.deliver(FIRST)
    journals = settings().home / "dbt" / "builds"
    before = set(journals.glob("*.done")) if journals.exists() else set()
    victim = subprocess.Popen(
        [sys.executable, "-m", "lifecourse.cli", "build", "run", FIRST.isoformat()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(settings().project)},
    )
    try:
        while victim.poll() is None:
            new = set(journals.glob("*.done")) - before if journals.exists() else set()
            if any(path.read_text().count("model.") > 70 for path in new):
                break
            time.sleep(0.05)
        assert victim.poll() is None, "it ended before it could be killed"
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    done = building.build(FIRST, into=warehouse)
    assert done.status == "published"
    assert len(building.builds(into=warehouse)) == 1, "the interrupted build was taken up"
    after_kill = snapshot(warehouse, "core")
    building.transform(building.begin(FIRST, full=True, into=warehouse), warehouse)
    assert snapshot(warehouse, "core") == after_kill
