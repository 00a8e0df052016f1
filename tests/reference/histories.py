"""Random histories with every kind of fact, leaning on the days where something turns.

One definition of a history serves both ways of drawing: ``bulk`` makes thousands from a seed, and the
strategy ``histories`` lets hypothesis draw them, and shrink what fails. ``write`` puts them into a folder
of CSV files.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from .lifecycle_reference import (
    COLUMNS,
    INSTITUTION_TIMEZONE,
    Complaint,
    Day,
    History,
    Homework,
    Institution,
    Line,
    Outcome,
    Pause,
    RefundRequest,
    Response,
    day,
    held,
    iso,
    monday_of,
)

AS_OF: Day = day("2026-03-01")
CAMPUSES = ("north", "south", "east", None)

T = TypeVar("T")


class Dice(Protocol):
    """Where the choices of a history come from."""

    def one_of(self, values: Sequence[T]) -> T: ...

    def between(self, low: int, high: int) -> int: ...

    def chance(self, percent: int) -> bool: ...


class SeededDice:
    """Choices of a seeded generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def one_of(self, values: Sequence[T]) -> T:
        return self.rng.choice(values)

    def between(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent


class DrawnDice:
    """Choices of hypothesis: it shrinks towards the first value, the lowest number and no."""

    def __init__(self, draw: Callable[[st.SearchStrategy[T]], T]) -> None:
        self.draw: Callable[[st.SearchStrategy], object] = draw  # type: ignore[type-arg]

    def one_of(self, values: Sequence[T]) -> T:
        return self.draw(st.sampled_from(values))  # type: ignore[return-value]

    def between(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))  # type: ignore[return-value]

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent  # type: ignore[operator]


# -- one history -----------------------------------------------------------------------------------

LENGTHS = (
    30,
    0,
    1,
    2,
    7,
    13,
    14,
    15,
    16,
    29,
    31,
    45,
    59,
    60,
    61,
    89,
    90,
    119,
    120,
    150,
    179,
    180,
    181,
    210,
    270,
    365,
)
LONG_LENGTHS = (365, 120, 240, 300, 500)
STUDY_COUNTS = (1, 2, 3, 4, 7, 8, 9, 20, 59, 60, 61, 70)
STUDY_STEPS = (7, 1, 1, 2, 3, 4, 5, 6, 13, 14, 15, 16, 30)
AFTER_END = (1, 0, -1, -5, -20, 2, 10, 14, 15, 29, 30, 31, 32, 33, 45, 100, 180, 209, 210, 211, 212, 240)
LOCAL_TIMES = (time(10), time(18, 30), time(0), time(23, 59, 59), time(7, 59, 59), time(8), time(16))
ZONES = (INSTITUTION_TIMEZONE, UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=45)))


class _Author:
    """Writes one customer's history: lines first, then other facts around the days that these make matter."""

    def __init__(self, dice: Dice, customer_id: str, as_of: Day) -> None:
        self.dice = dice
        self.customer_id = customer_id
        self.as_of = as_of
        # The loyal buy long lines before the last one ends, and so grow mature.
        self.is_loyal = dice.chance(15)
        self.start = self._start()
        self.anchors: list[Day] = [self.start, as_of]
        self.lines: list[Line] = []
        self.outcomes: list[Outcome] = []
        self.drop_mondays: list[Day] = []

    def _start(self) -> Day:
        if self.is_loyal:
            return self.as_of - self.dice.between(300, 760)
        if self.dice.chance(3):
            return self.as_of + self.dice.between(0, 3)
        if self.dice.chance(15):
            return self.as_of - self.dice.one_of((0, 1, 29, 30, 31, 59, 60, 61, 179, 180, 181, 209, 210, 211))
        return self.as_of - self.dice.between(1, 760)

    def near(self) -> Day:
        """A day at or beside one that matters."""
        return self.dice.one_of(self.anchors) + self.dice.one_of((0, 1, -1, 2, -2, 7, -7))

    def instant(self, number: Day) -> datetime:
        """An instant on a day of the institution, told in one of several zones."""
        local = datetime.combine(
            date.fromordinal(number), self.dice.one_of(LOCAL_TIMES), INSTITUTION_TIMEZONE
        )
        return local.astimezone(self.dice.one_of(ZONES))

    def write(self) -> History:
        dice = self.dice
        campus_id = dice.one_of(CAMPUSES)
        self._write_lines()
        return History(
            customer_id=self.customer_id,
            campus_id=campus_id,
            contacts=self._contacts(),
            lines=tuple(self.lines),
            outcomes=tuple(self.outcomes),
            study=self._study(),
            homework=self._homework(),
            complaints=tuple(Complaint(*self._opened_and_closed()) for _ in range(self._few(25))),
            nps=self._nps(),
            refund_requests=tuple(RefundRequest(*self._opened_and_closed()) for _ in range(self._few(20))),
            pauses=self._pauses(),
        )

    def _few(self, percent: int) -> int:
        return self.dice.one_of((1, 1, 2, 3)) if self.dice.chance(percent) else 0

    def _contacts(self) -> tuple[Day, ...]:
        days = [self.start - self.dice.one_of((0, 1, 2, 30, 100)) for _ in range(self._few(60))]
        return tuple(days) if days or self.lines else (self.start,)

    # Lines, with the lessons that use packages up.

    def _write_lines(self) -> None:
        dice = self.dice
        granted_on = self.start
        for number in range(dice.one_of((2, 3, 4) if self.is_loyal else (1, 0, 1, 2, 2, 3, 4, 5, 7))):
            line = self._line(number, granted_on)
            outcomes = self._lessons_of(line)
            whole = held(line, outcomes)
            last = whole.last if whole and whole.last is not None else granted_on + 120
            if dice.chance(25):
                line = replace(
                    line,
                    cut_on=self._cut_on(granted_on, last),
                    cut_by=dice.one_of(("withdrew", "refunded")),
                )
                self.anchors.append(line.cut_on or granted_on)
            self.lines.append(line)
            self.outcomes += outcomes
            self.anchors += [granted_on, last, last + 1, last + 31, granted_on + 60, granted_on + 180]
            if line.starts_on is not None:
                self.anchors.append(line.starts_on)
            if self.is_loyal or dice.chance(20):
                granted_on += dice.one_of((0, 0, 1, 30, 60, 180))
            else:
                granted_on = max(granted_on, (self._end_of(line, outcomes) or last) + dice.one_of(AFTER_END))

    @staticmethod
    def _end_of(line: Line, outcomes: Sequence[Outcome]) -> Day | None:
        whole = held(line, outcomes)
        return whole.last if whole else None

    def _line(self, number: int, granted_on: Day) -> Line:
        dice = self.dice
        kind = dice.one_of(("period", "package"))
        ends_on: Day | None = granted_on + dice.one_of(LONG_LENGTHS if self.is_loyal else LENGTHS)
        lessons = None
        if kind == "package":
            lessons = Decimal(dice.one_of(("2", "1", "3", "5", "10", "20", "40", "2.5", "7.5")))
            if dice.chance(3):
                lessons = None
            if dice.chance(50):
                ends_on = None
        else:
            if dice.chance(15):
                # The lessons of a term are counted, too, but do not end it.
                lessons = Decimal(dice.one_of(("2", "5", "10")))
            if dice.chance(4):
                ends_on = None
            elif dice.chance(2):
                ends_on = granted_on - dice.one_of((1, 2, 10))
        same_order = self.lines and self.lines[-1].granted_on == granted_on and dice.chance(50)
        is_gift = self.lines[-1].is_gift if same_order else dice.chance(25 if number == 0 else 15)
        starts_on: Day | None = granted_on + dice.one_of((0, 0, 0, 0, 1, 7, 14, 15, 30, 60, -1, -15, -40))
        return Line(
            line_id=f"{self.customer_id}-L{number}",
            order_id=self.lines[-1].order_id if same_order else f"{self.customer_id}-O{number}",
            is_gift=is_gift,
            kind=kind,  # type: ignore[arg-type]
            granted_on=granted_on,
            starts_on=None if dice.chance(8) else starts_on,
            ends_on=ends_on,
            lessons=lessons,
            delivery=dice.one_of(("scheduled", "self_paced")),  # type: ignore[arg-type]
        )

    def _cut_on(self, granted_on: Day, last: Day) -> Day:
        return self.dice.one_of(
            (
                granted_on,
                granted_on + 1,
                granted_on - 1,
                granted_on + 10,
                (granted_on + last) // 2,
                (granted_on + last) // 2,
                last - 1,
                last,
                last + 1,
                last + 2,
                last + 30,
                last + 31,
            )
        )

    def _lessons_of(self, line: Line) -> list[Outcome]:
        """Weekly or denser lessons; an exact package ends with its last lesson, some stop one short."""
        dice = self.dice
        if not dice.chance(75 if line.kind == "package" else 45):
            return []
        per_lesson = Decimal(dice.one_of(("1", "1", "0.5", "1.5", "2")))
        step = dice.one_of((7, 0, 1, 2, 3, 4, 7, 14))
        count = dice.one_of((3, 0, 2, 4, 5, 6, 8, 12, 20))
        if line.lessons is not None and dice.chance(75):
            count = int(line.lessons / per_lesson) + dice.one_of((0, 1, -1, 3))
        first = (line.starts_on or line.granted_on) + dice.one_of((0, 0, 1, 3))
        if dice.chance(3):
            first = line.granted_on - dice.one_of((1, 7, 40))
        missed = dice.one_of((0, 0, 0, 10, 30, 60, 90))
        found = []
        for lesson in range(max(0, min(count, 45))):
            outcome, hours = "attended", per_lesson
            if missed and dice.chance(missed):
                outcome = dice.one_of(("absent", "absent", "leave"))
            found.append(
                Outcome(
                    line_id=None if dice.chance(1) else line.line_id,
                    lesson_at=self.instant(first + lesson * step),
                    outcome=outcome,  # type: ignore[arg-type]
                    hours=None if dice.chance(1) else hours,
                )
            )
        # A row of absences somewhere in the middle, several on one day perhaps.
        if dice.chance(25):
            begun = self.near()
            step = dice.one_of((7, 0, 1, 2))
            for lesson in range(dice.one_of((3, 2, 4, 5))):
                outcome = dice.one_of(("absent", "absent", "absent", "leave", "attended"))
                at = self.instant(begun + lesson * step)
                found.append(Outcome(line.line_id, at, outcome, per_lesson))  # type: ignore[arg-type]
        return found

    # Study.

    def _study(self) -> tuple[Day, ...]:
        dice = self.dice
        days: list[Day] = []
        for _ in range(dice.one_of((1, 0, 1, 2, 3))):
            step = dice.one_of(STUDY_STEPS)
            first = self.near()
            days += [first + step * n for n in range(dice.one_of(STUDY_COUNTS))]
        if dice.chance(30):
            # The last study day needed falls on a boundary of onboarding or maturity.
            line = dice.one_of(self.lines) if self.lines else None
            begun = line.granted_on if line else self.start
            last = begun + dice.one_of((60, 59, 61, 180, 179, 181))
            days += [last - n for n in range(dice.one_of((8, 7, 9, 60, 59, 61)))]
        if dice.chance(40):
            days += self._drop()
        return tuple(days)

    def _drop(self) -> list[Day]:
        """Four weeks of study and four of less, up to a Monday."""
        dice = self.dice
        monday = monday_of(dice.one_of(self.anchors) + dice.one_of((56, 57, 60, 63, 70, 84, 120)))
        self.drop_mondays.append(monday)
        before = dice.one_of((4, 3, 5, 6, 8, 9))
        lately = max(0, before // 2 + dice.one_of((0, 1, -1, -2)))
        edges = dice.one_of(((56, 29), (57, 29), (56, 28), (55, 30)))
        days = [monday - edges[0], monday - edges[1]]
        days += [monday - 40 - 2 * n for n in range(before - 2)]
        days += [monday - (1 if n == 0 else 28 if n == 1 else 10 - n) for n in range(lately)]
        return days

    # Homework.

    def _homework(self) -> tuple[Homework, ...]:
        dice = self.dice
        found: list[Homework] = []
        for _ in range(self._few(45)):
            monday = monday_of(self.near())
            for week in range(dice.one_of((2, 1, 3, 4, 6))):
                if dice.chance(15):
                    continue
                pieces = dice.one_of((5, 1, 2, 3, 5, 10))
                # Done shares on both sides of 0.6 and at it.
                done = dice.one_of((2, 0, 1, 3, 5, 6)) if pieces >= 5 else dice.between(0, pieces)
                for piece in range(pieces):
                    due_on = monday + 7 * week + dice.one_of((0, 6, 2, 4, piece % 7))
                    sunday = monday_of(due_on) + 6
                    if piece < done:
                        submitted_on: Day | None = sunday - dice.one_of((0, 1, 3, 6, 9))
                    else:
                        submitted_on = dice.one_of((None, sunday + 1, sunday + 8))
                    found.append(Homework(due_on, submitted_on))
        return tuple(found)

    # Voices and pauses.

    def _opened_and_closed(self) -> tuple[Day, Day | None]:
        opened_on = self.near()
        open_for = self.dice.one_of((None, 0, 1, 2, 7, 30, 31, 60, 200))
        return opened_on, None if open_for is None else opened_on + open_for

    def _nps(self) -> tuple[Response, ...]:
        dice = self.dice
        found: list[Response] = []
        for _ in range(self._few(35)):
            if found and dice.chance(50):
                last = found[-1].responded_at.astimezone(INSTITUTION_TIMEZONE).date().toordinal()
                at = self.instant(last + dice.one_of((0, 29, 30, 31, 1)))
            else:
                at = self.instant(self.near())
            found.append(Response(at, dice.one_of((6, 7, 0, 5, 9, 10))))
            if dice.chance(25):
                # Another answer at the very same instant.
                found.append(Response(at.astimezone(dice.one_of(ZONES)), dice.one_of((7, 6, 10, 0))))
        return tuple(found)

    def _pauses(self) -> tuple[Pause, ...]:
        found = []
        for _ in range(self._few(25)):
            from_on = max(self.near(), self.start)
            length = self.dice.one_of((None, 0, 1, 6, 13, 14, 30, 55, 56, 90))
            found.append(Pause(from_on, None if length is None else from_on + length))
        if self.drop_mondays and self.dice.chance(25):
            # The last paused day is the first of the eight weeks, or the day before them; or one just after.
            paused_on = self.drop_mondays[0] - self.dice.one_of((57, 56, 1, 0, 60))
            found.append(Pause(paused_on - self.dice.one_of((0, 5)), paused_on))
        return tuple(found)


def random_history(dice: Dice, customer_id: str, as_of: Day = AS_OF) -> History:
    """One customer's history, most of it in the two years up to ``as_of`` and some of it later."""
    return _Author(dice, customer_id, as_of).write()


# -- the institution -------------------------------------------------------------------------------

OVERRIDES: dict[str, tuple[str, ...]] = {
    "grace_days": ("7", "0", "1", "45"),
    "onboarding_days": ("30", "1", "90", "200"),
    "onboarding_study_days": ("4", "1", "12"),
    "mature_days": ("60", "30", "200"),
    "mature_purchase_days": ("2", "1", "4"),
    "mature_study_days": ("8", "20", "90"),
    "dormant_after_days": ("30", "1", "200"),
    "detractor_score_max": ("7", "5", "0"),
    "detractor_days": ("1", "7", "60"),
    "inactive_days": ("7", "1", "21"),
    "absences_of_last": ("4", "3", "8"),
    "absences_min": ("2", "1", "3"),
    "homework_threshold": ("0.5", "0.75", "1"),
    "usage_prior_min": ("2", "1", "6"),
    "usage_ratio_max": ("0.25", "0.75", "0"),
    "closed_days_max": ("3", "1", "14"),
}


def random_institution(dice: Dice, as_of: Day = AS_OF) -> Institution:
    """Holidays, and rules that differ between campuses: none of its own in the north, most in the south."""
    closed: list[tuple[str | None, Day]] = []
    for _ in range(dice.between(5, 12)):
        first = as_of - dice.between(-20, 760)
        if dice.chance(60):
            # At the edge of a week, where the four weeks before a Monday begin and end.
            first = monday_of(first) + dice.one_of((0, -1, -7, -8, 1))
        campus = dice.one_of((None, "north", "south", "east"))
        step = dice.one_of((1, 1, 3))
        closed += [(campus, first + step * n) for n in range(dice.one_of((7, 6, 8, 3, 14)))]
        if dice.chance(50):
            # The same days once more for another campus, and partly twice.
            other = dice.one_of((None, "north", "south", "east"))
            closed += [(other, d) for c, d in closed[-4:] if (other, d) not in closed]
    rules: list[tuple[str | None, str, Decimal]] = []
    for rule, values in OVERRIDES.items():
        if dice.chance(80):
            rules.append(("south", rule, Decimal(dice.one_of(values))))
        if dice.chance(30):
            rules.append(("east", rule, Decimal(dice.one_of(values))))
        if dice.chance(6):
            rules.append((None, rule, Decimal(dice.one_of(values))))
    return Institution(tuple(dict.fromkeys(closed)), tuple(rules))


# -- many at once ----------------------------------------------------------------------------------


def bulk(seed_number: int, customers: int, as_of: Day = AS_OF, prefix: str = "C") -> list[History]:
    """Histories of many customers, the same for the same seed."""
    dice = SeededDice(random.Random(f"histories {seed_number}"))
    return [random_history(dice, f"{prefix}{seed_number}-{n:05d}", as_of) for n in range(customers)]


def bulk_institution(seed_number: int, as_of: Day = AS_OF) -> Institution:
    return random_institution(SeededDice(random.Random(f"institution {seed_number}")), as_of)


@st.composite
def histories(
    draw: Callable[[st.SearchStrategy[T]], T], customer_id: str = "C1", as_of: Day = AS_OF
) -> History:
    """Strategy: one customer's history."""
    return random_history(DrawnDice(draw), customer_id, as_of)


@st.composite
def institutions(draw: Callable[[st.SearchStrategy[T]], T], as_of: Day = AS_OF) -> Institution:
    """Strategy: closed days and rules."""
    return random_institution(DrawnDice(draw), as_of)


def drawn_by_hypothesis(seed_number: int, customers: int, as_of: Day = AS_OF) -> list[History]:
    """Histories that hypothesis draws, collected so that one database run can judge all of them."""
    found: list[History] = []

    @seed(seed_number)
    @settings(
        max_examples=customers,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(histories(as_of=as_of))
    def collect(history: History) -> None:
        found.append(_renamed(history, f"H{seed_number}-{len(found):05d}"))

    collect()
    return found


def _renamed(history: History, customer_id: str) -> History:
    """The same facts under another customer id, with line and order ids to match."""

    def name(text: str | None) -> str | None:
        return None if text is None else text.replace(history.customer_id, customer_id, 1)

    return replace(
        history,
        customer_id=customer_id,
        lines=tuple(
            replace(line, line_id=name(line.line_id) or "", order_id=name(line.order_id) or "")
            for line in history.lines
        ),
        outcomes=tuple(replace(o, line_id=name(o.line_id)) for o in history.outcomes),
    )


def shuffled(history: History, rng: random.Random) -> History:
    """The same facts in another order."""
    lists = {
        name: tuple(rng.sample(facts, len(facts)))
        for name, facts in vars(history).items()
        if isinstance(facts, tuple)
    }
    return replace(history, **lists)  # type: ignore[arg-type]


# -- a folder of CSV files -------------------------------------------------------------------------


def _text(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _day_text(number: Day | None) -> str:
    return "" if number is None else iso(number)


def rows_of_history(history: History) -> dict[str, list[tuple[object, ...]]]:
    """A history as the rows of the files of a folder."""
    c = history.customer_id
    return {
        "customers": [(c, history.campus_id)],
        "contacts": [(c, iso(d)) for d in history.contacts],
        "lines": [
            (
                line.line_id,
                c,
                line.order_id,
                line.is_gift,
                line.kind,
                iso(line.granted_on),
                _day_text(line.starts_on),
                _day_text(line.ends_on),
                line.lessons,
                line.delivery,
                _day_text(line.cut_on),
                line.cut_by,
            )
            for line in history.lines
        ],
        "outcomes": [(c, o.line_id, o.lesson_at, o.outcome, o.hours) for o in history.outcomes],
        "study": [(c, iso(d)) for d in history.study],
        "homework": [(c, iso(h.due_on), _day_text(h.submitted_on)) for h in history.homework],
        "complaints": [(c, iso(x.opened_on), _day_text(x.closed_on)) for x in history.complaints],
        "nps": [(c, r.responded_at, r.score) for r in history.nps],
        "refund_requests": [
            (c, iso(r.requested_on), _day_text(r.resolved_on)) for r in history.refund_requests
        ],
        "pauses": [(c, iso(p.from_on), _day_text(p.to_on)) for p in history.pauses],
    }


def write(folder: Path, histories_: Iterable[History], institution: Institution | None = None) -> None:
    """Write histories as the CSV files that ``lifecourse spans`` and the reference read."""
    institution = institution or Institution()
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") for name in COLUMNS}
    try:
        writers = {name: csv.writer(file, lineterminator="\n") for name, file in files.items()}
        for name, columns in COLUMNS.items():
            writers[name].writerow(columns)
        for history in histories_:
            for name, rows in rows_of_history(history).items():
                writers[name].writerows([_text(value) for value in row] for row in rows)
        writers["closed_days"].writerows((_text(c), iso(d)) for c, d in institution.closed_days)
        writers["rules"].writerows((_text(c), rule, value) for c, rule, value in institution.rules)
    finally:
        for file in files.values():
            file.close()
