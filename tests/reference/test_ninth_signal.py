"""The ninth signal beside the eight of the definition: right by a reading of its own, and the eight are as they were."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from .goals import Goal, below_expectation, write_goals
from .histories import AS_OF, bulk, bulk_institution, write
from .lifecycle_reference import Day, iso
from .test_lifecycle_equals_reference import by_production, of_production, of_reference

IN_A_RUN = ("onboarding", "growth", "mature")
NINTH = "below_expectation"


def _day(text: str) -> Day:
    from datetime import date

    return date.fromisoformat(text).toordinal() if text else AS_OF + 1


@by_production
def test_the_ninth_signal_and_the_eight(tmp_path: Path) -> None:
    people, house = bulk(41, 700), bulk_institution(41)
    write(tmp_path / "events", people, house)
    goals: dict[str, list[Goal]] = defaultdict(list)
    for goal in write_goals(tmp_path / "events", people, 41):
        goals[goal.customer_id].append(goal)
    # A goal set before anything else is heard of is a contact; the reference knows it by that name.
    people = [
        type(history)(
            **{
                **history.__dict__,
                "contacts": (*history.contacts, *(g.set_on for g in goals[history.customer_id])),
            }
        )
        for history in people
    ]
    ours = of_production(tmp_path / "events", AS_OF, tmp_path / "out")
    eight = of_reference(people, AS_OF, house)

    opened = 0
    for history in people:
        customer = history.customer_id
        told, expected = ours[customer], eight[customer]
        signals = told.get("signals", [])
        assert [row for row in signals if row[1] != NINTH] == expected["signals"], customer
        base = [row for row in told["transitions"] if row[2] == "base"]
        assert base == [row for row in expected["transitions"] if row[2] == "base"], customer

        in_runs = {
            day: row[3]
            for row in told["spans"]
            if row[2] in IN_A_RUN
            for day in range(_day(row[4]), _day(row[5]))
        }
        days = {day for day in in_runs if below_expectation(goals[customer], day)}
        ninth = {day for row in signals if row[1] == NINTH for day in range(_day(row[2]), _day(row[3]))}
        assert ninth == days, (customer, [iso(day) for day in sorted(ninth ^ days)][:5])
        opened += sum(row[1] == NINTH for row in signals)

        in_danger = {
            day for row in told["spans"] if row[1] == "danger" for day in range(_day(row[4]), _day(row[5]))
        }
        by_signals = {day for row in signals for day in range(_day(row[2]), _day(row[3]))}
        assert in_danger == by_signals, customer
    assert opened > 50, "too few to prove anything"


def test_the_signals_of_histories_are_those_of_the_seed(tmp_path: Path) -> None:
    """The ninth row of the seed stands behind the eight of the definition, in their order."""
    from lifecourse.settings import settings

    seed = settings().dbt_project_dir / "seeds" / "lifecycle" / "risk_signal.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        by_priority = sorted(csv.DictReader(file), key=lambda row: int(row["priority"]))
    codes = [row["signal_code"] for row in by_priority]
    assert [code for code in codes if code != NINTH] == [
        "refund_request",
        "complaint",
        "detractor",
        "absences",
        "usage_drop",
        "homework_slump",
        "inactive",
        "lapsing",
    ]
    assert codes.index(NINTH) < codes.index("lapsing")
