"""Random learning goals for histories, and on which days their results are below expectation: day by day."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .lifecycle_reference import Day, History, iso

COLUMNS = (
    "customer_id",
    "subject",
    "expected_score",
    "actual_score",
    "set_on",
    "due_on",
    "measured_on",
)
#: Distances from the first fact, and from day to day: on both sides of 60, the days for which a result counts.
AHEAD = (0, 1, 20, 59, 60, 61, 120, 300)


@dataclass(frozen=True)
class Goal:
    """A row of goals.csv; days as ordinals."""

    customer_id: str
    subject: str
    expected: int
    actual: int | None
    set_on: Day
    due_on: Day | None
    measured_on: Day | None


def draw_goals(people: Iterable[History], seed: int) -> list[Goal]:
    """Up to four goals for every second customer, around the customer's lines."""
    dice = random.Random(seed)
    goals = []
    for history in people:
        if not history.lines or dice.random() < 0.5:
            continue
        start = min(line.granted_on for line in history.lines)
        for _ in range(dice.choice((1, 1, 2, 3, 4))):
            set_on = start + dice.choice((-70, -10, 0, *AHEAD))
            measured_on = dice.choice((None, *(set_on + days for days in AHEAD)))
            goals.append(
                Goal(
                    customer_id=history.customer_id,
                    subject=dice.choice(("", "maths", "maths", "piano")),
                    expected=80,
                    actual=None
                    if measured_on is None or dice.random() < 0.05
                    else dice.choice((70, 79, 80, 81)),
                    set_on=set_on,
                    due_on=dice.choice((None, *(set_on + days for days in AHEAD))),
                    measured_on=measured_on,
                )
            )
    return goals


def write_goals(folder: Path, people: Iterable[History], seed: int) -> list[Goal]:
    """Draw goals and write them as goals.csv; those that were written."""
    goals = draw_goals(people, seed)
    with (folder / "goals.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for goal in goals:
            days = ("" if day is None else iso(day) for day in (goal.set_on, goal.due_on, goal.measured_on))
            writer.writerow(
                (
                    goal.customer_id,
                    goal.subject,
                    goal.expected,
                    "" if goal.actual is None else goal.actual,
                    *days,
                )
            )
    return goals


def below_expectation(goals: Sequence[Goal], day: Day, days_that_count: int = 60) -> bool:
    """Whether a customer with these goals is below expectation on a day, by what was known on it.

    Read from docs/lifecycle_readings.md, "The ninth signal": per subject, the last result up to the day (of
    several on its day the lowest against what was expected) is missed, and not too many days old.
    """
    by_subject: Mapping[str, dict[Day, list[int]]] = defaultdict(lambda: defaultdict(list))
    for goal in goals:
        if goal.actual is None or goal.measured_on is None or goal.measured_on > day or goal.set_on > day:
            continue
        by = [goal.set_on, goal.measured_on]
        if goal.actual < goal.expected and goal.due_on is not None:
            by.append(goal.due_on)
        if max(by) <= day:
            by_subject[goal.subject][max(by)].append(goal.actual - goal.expected)
    return any(
        min(results[max(results)]) < 0 and day < max(results) + days_that_count
        for results in by_subject.values()
    )
