"""Planted faults: how many, where, and that they leave everything else as it was."""

from __future__ import annotations

import numpy as np
import pytest

from lifecourse.simulator.almanac import end_of
from lifecourse.simulator.fault_plan import ROW_RULES, FaultPlan, Kind, load_plan
from lifecourse.simulator.planting import BROKEN_FROM
from lifecourse.simulator.sheets import DAY, NEVER
from lifecourse.simulator.world import make_block
from tests.unit.simulator.worlds import LAST, WORLD, made, rows

END = end_of(LAST)


def planted(kind: Kind, table: str, plan: str = "default") -> set[int]:
    """Keys of the rows of a table with that fault."""
    return {
        key
        for _, planting in made(plan)
        for p in planting.planted
        if (p.kind, p.table) == (kind, table)
        for key in p.keys.tolist()
    }


@pytest.fixture(scope="module")
def dirty() -> dict[str, dict[str, np.ndarray]]:
    return rows((WORLD.last_day + 1) * DAY - 1, "default")


def test_each_fault_is_where_its_note_says(dirty) -> None:
    hours = dirty["attendance"]["hours"] < 0
    assert set(dirty["attendance"]["attendance_id"][hours].tolist()) == planted(
        Kind.NEGATIVE_HOURS, "attendance"
    )
    due = dirty["homework"]["due_on"] <= BROKEN_FROM
    assert set(dirty["homework"]["homework_id"][due].tolist()) == planted(Kind.BROKEN_DATE, "homework")
    channel = dirty["touchpoints"]["channel"] == "fax"
    assert set(dirty["touchpoints"]["touchpoint_id"][channel].tolist()) == planted(
        Kind.UNKNOWN_ENUM, "touchpoints"
    )
    ends = (dirty["pauses"]["to_on"] < dirty["pauses"]["from_on"]) & (dirty["pauses"]["to_on"] > 0)
    assert set(dirty["pauses"]["pause_id"][ends].tolist()) == planted(Kind.ENDS_BEFORE_START, "pauses")
    minus = dirty["rewards"]["amount"] < 0
    assert set(dirty["rewards"]["reward_id"][minus].tolist()) == planted(Kind.NEGATIVE_AMOUNT, "rewards")
    amount = dict(
        zip(dirty["payments"]["payment_id"].tolist(), dirty["payments"]["amount"].tolist(), strict=True)
    )
    too_much = {
        refund
        for refund, payment, value in zip(
            *(dirty["refunds"][c].tolist() for c in ("refund_id", "payment_id", "amount")), strict=True
        )
        if value > amount[payment]
    }
    assert too_much == planted(Kind.REFUND_LARGER_THAN_PAYMENT, "refunds")
    start = dict(
        zip(dirty["lessons"]["lesson_id"].tolist(), dirty["lessons"]["starts_at"].tolist(), strict=True)
    )
    enrolled = dict(
        zip(
            dirty["enrolments"]["enrolment_id"].tolist(),
            dirty["enrolments"]["enrolled_on"].tolist(),
            strict=True,
        )
    )
    early = {
        row
        for row, lesson, enrolment in zip(
            *(dirty["attendance"][c].tolist() for c in ("attendance_id", "lesson_id", "enrolment_id")),
            strict=True,
        )
        if start.get(lesson, NEVER) // DAY < enrolled[enrolment]
    }
    assert early == planted(Kind.LESSON_BEFORE_ENROLMENT, "attendance")


@pytest.mark.parametrize(
    ("kind", "table"),
    [(kind, tables[0]) for kind, (_, tables) in ROW_RULES.items()] + [(Kind.MISTYPED_PHONE, "contacts")],
)
def test_rates_are_those_of_the_file(kind: Kind, table: str) -> None:
    plan = FaultPlan(faults={kind: 0.2})
    block, planting = make_block(WORLD, 0, plan)
    struck = sum(len(p.keys) for p in planting.planted if (p.kind, p.table) == (kind, table))
    rows = len(block.sheets[table])
    # Some rows cannot have the fault: corrected attendance, open pauses, attendance of the first lessons.
    assert 0.1 * rows * 0.2 < struck <= 0.2 * rows + 4 * (0.16 * rows) ** 0.5


def test_a_pair_strikes_one_row_twice() -> None:
    plan = load_plan("two_on_a_row")
    _, planting = make_block(WORLD, 0, plan)
    hours = {k for p in planting.planted if p.kind is Kind.NEGATIVE_HOURS for k in p.keys.tolist()}
    words = {
        k
        for p in planting.planted
        if p.kind is Kind.UNKNOWN_ENUM and p.table == "attendance"
        for k in p.keys.tolist()
    }
    early = {k for p in planting.planted if p.kind is Kind.LESSON_BEFORE_ENROLMENT for k in p.keys.tolist()}
    assert words
    assert early
    assert words | early < hours
    assert not words & early


#: They confuse who somebody is, and break no rule of a row: beside them a row may have a fault as any other.
WHO_IS_WHO = (
    Kind.DUPLICATE_LEAD,
    Kind.SHARED_SIBLING_PHONE,
    Kind.NICKNAME_GIVEN,
    Kind.SWAPPED_BIRTH_DATE,
    Kind.SHARED_PHONE,
    Kind.OTHER_PAYER,
    Kind.DUPLICATE_LEARNER,
)


def test_no_row_has_faults_of_two_kinds_unless_they_are_a_pair() -> None:
    for _, planting in made("default"):
        seen: dict[tuple[str, int], Kind] = {}
        for p in planting.planted:
            if p.kind in WHO_IS_WHO:
                continue
            for key in p.keys.tolist():
                other = seen.setdefault((p.table, key), p.kind)
                assert {other, p.kind} <= {Kind.NEGATIVE_HOURS, Kind.UNKNOWN_ENUM} or other == p.kind


def test_a_child_waits_for_its_parent_over_one_night(dirty) -> None:
    waits = 0
    for block, planting in made("default"):
        lessons = {
            int(k): int(v)
            for k, v in zip(block.sheets["lessons"].keys, block.sheets["lessons"].visible, strict=True)
        }
        attendance = block.sheets["attendance"]
        lesson_of = dict(zip(attendance.keys.tolist(), attendance.columns["lesson_id"].tolist(), strict=True))
        for p in planting.planted:
            if p.kind is Kind.CHILD_BEFORE_PARENT:
                for key, since, until in zip(
                    p.keys.tolist(), p.since.tolist(), p.until.tolist(), strict=True
                ):
                    assert lessons[lesson_of[key]] == until
                    assert since // DAY + 1 == until // DAY
                    waits += 1
    assert waits > 500


def test_late_rows_come_the_morning_after_their_change_time() -> None:
    near = far = 0
    for block, planting in made("default"):
        for p in planting.planted:
            if p.kind is Kind.LATE_ROW:
                sheet = block.sheets[p.table]
                place = {int(k): i for i, k in enumerate(sheet.keys)}
                for key, since, details in zip(
                    p.keys.tolist(), p.since.tolist(), p.details or [], strict=True
                ):
                    cutoff = (int(sheet.created[place[key]]) // DAY + 1) * DAY
                    assert cutoff <= since < cutoff + DAY // 2
                    assert float(str(details["hours_before_cutoff"])) == pytest.approx(
                        (cutoff - int(sheet.created[place[key]])) / 3_600, abs=0.06
                    )
                near += len(p.keys) * (p.expect == "merged_next_night")
                far += len(p.keys) * (p.expect == "found_by_key_comparison")
    assert near > 100
    assert far > 100


def test_doubled_people_keep_their_phone_in_some_spelling() -> None:
    doubles = 0
    for block, planting in made("default"):
        contacts = block.sheets["contacts"]
        phone = dict(zip(contacts.keys.tolist(), contacts.columns["phone"], strict=True))
        other_phones = (Kind.MISTYPED_PHONE, Kind.SHARED_PHONE)
        typos = {k for p in planting.planted if p.kind in other_phones for k in p.keys.tolist()}
        leads = block.sheets["leads"]
        contact = dict(zip(leads.keys.tolist(), leads.columns["contact_id"].tolist(), strict=True))
        for p in planting.planted:
            if p.kind is Kind.DUPLICATE_LEAD:
                for key, details in zip(p.keys.tolist(), p.details or [], strict=True):
                    one, other = contact[key], contact[int(str(details["same_person_as"]))]
                    if not {one, other} & typos:
                        assert _digits(phone[one]) == _digits(phone[other])
                        doubles += 1
    assert doubles > 10


def _digits(phone: str) -> str:
    return "".join(str(int(c)) for c in phone if c.isdigit())[-11:]


def test_everything_that_is_not_struck_is_as_without_faults() -> None:
    quiet = {Kind.NEGATIVE_HOURS: 0.01, Kind.UNKNOWN_ENUM: 0.01, Kind.BROKEN_DATE: 0.01}
    block, planting = make_block(WORLD, 0, FaultPlan(faults=quiet))
    struck = {(p.table, k) for p in planting.planted for k in p.keys.tolist()}
    for table, clean in made("none")[0][0].sheets.items():
        one, other = clean.state(END), block.sheets[table].state(END)
        same = np.array([(table, k) not in struck for k in one.keys.tolist()], dtype=bool)
        for column, values in one.columns.items():
            np.testing.assert_array_equal(values[same], other.columns[column][same], f"{table}.{column}")
    assert all(p.until.min() == NEVER for p in planting.planted)
