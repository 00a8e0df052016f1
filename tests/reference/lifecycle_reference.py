"""The lifecycle day by day in plain Python: an independent reference of the SQL.

Written from the definition page (LIFECYCLE.md) alone, for clarity and not for speed. A customer's history
goes in, and three things come out, exactly as in "Feeding histories" of that page:

- spans        one per customer and unbroken stretch of days with the same stage and base stage
- transitions  one per change in a layer (base, danger)
- signals      one per customer, signal and unbroken stretch of days

A day is a plain number here (``date.toordinal()``), so that ``day + 30`` is thirty days later;
``day("2025-01-31")`` and ``iso(number)`` convert. Instants are aware datetimes; their day is the date in the
institution's time zone. Where the page can be read in two ways, READINGS.md says which one is taken; ``(R1)``
below points there.

From the command line: ``python -m tests.reference.lifecycle_reference --events DIR --as-of DAY --out DIR``.
"""

from __future__ import annotations

import argparse
import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

Day = int
Rules = Mapping[str, Decimal]

INSTITUTION_TIMEZONE = ZoneInfo("Asia/Shanghai")

DEFAULT_RULES: Rules = {
    "grace_days": Decimal(30),
    "onboarding_days": Decimal(60),
    "onboarding_study_days": Decimal(8),
    "mature_days": Decimal(180),
    "mature_purchase_days": Decimal(3),
    "mature_study_days": Decimal(60),
    "dormant_after_days": Decimal(180),
    "detractor_score_max": Decimal(6),
    "detractor_days": Decimal(30),
    "inactive_days": Decimal(14),
    "absences_of_last": Decimal(5),
    "absences_min": Decimal(3),
    "homework_threshold": Decimal("0.6"),
    "usage_prior_min": Decimal(4),
    "usage_ratio_max": Decimal("0.5"),
    "closed_days_max": Decimal(7),
}

SIGNALS = (
    "refund_request",
    "complaint",
    "detractor",
    "absences",
    "usage_drop",
    "homework_slump",
    "inactive",
    "lapsing",
)


def day(text: str) -> Day:
    """The number of an ISO date."""
    return date.fromisoformat(text).toordinal()


def iso(number: Day) -> str:
    """The ISO date of a day's number."""
    return date.fromordinal(number).isoformat()


def day_of(instant: datetime) -> Day:
    """The institution's day on which an aware instant falls."""
    return instant.astimezone(INSTITUTION_TIMEZONE).date().toordinal()


def monday_of(number: Day) -> Day:
    """The Monday of the day's ISO week."""
    return number - date.fromordinal(number).weekday()


# -- what goes in ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A right to learn. ``ends_on`` is a period's last day or a package's expiry, None for none."""

    line_id: str
    order_id: str
    is_gift: bool
    kind: Literal["period", "package"]
    granted_on: Day
    starts_on: Day | None = None
    ends_on: Day | None = None
    lessons: Decimal | None = None
    delivery: Literal["scheduled", "self_paced"] = "scheduled"
    cut_on: Day | None = None
    cut_by: Literal["withdrew", "refunded"] | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a lesson; an attended one is a study day and consumes ``hours`` lessons of its line."""

    line_id: str | None
    lesson_at: datetime
    outcome: Literal["attended", "absent", "leave"]
    hours: Decimal | None = Decimal(1)


@dataclass(frozen=True)
class Homework:
    due_on: Day
    submitted_on: Day | None = None


@dataclass(frozen=True)
class Complaint:
    opened_on: Day
    closed_on: Day | None = None


@dataclass(frozen=True)
class Response:
    """An NPS response, 0 to 10."""

    responded_at: datetime
    score: int


@dataclass(frozen=True)
class RefundRequest:
    requested_on: Day
    resolved_on: Day | None = None


@dataclass(frozen=True)
class Pause:
    """An approved suspension; ``to_on`` is the last paused day, None while still paused."""

    from_on: Day
    to_on: Day | None = None


@dataclass(frozen=True)
class History:
    """Every fact about one customer."""

    customer_id: str
    campus_id: str | None = None
    contacts: tuple[Day, ...] = ()
    lines: tuple[Line, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    study: tuple[Day, ...] = ()
    homework: tuple[Homework, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    nps: tuple[Response, ...] = ()
    refund_requests: tuple[RefundRequest, ...] = ()
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True)
class Institution:
    """What holds for many customers: closed days and changed rules; a campus of None means all."""

    closed_days: tuple[tuple[str | None, Day], ...] = ()
    rules: tuple[tuple[str | None, str, Decimal], ...] = ()

    def rules_of(self, campus_id: str | None) -> Rules:
        """The rules of a campus: its own row, else the row for all, else the default (R16)."""
        values = dict(DEFAULT_RULES)
        for campus, rule, value in self.rules:
            if campus is None:
                values[rule] = value
        for campus, rule, value in self.rules:
            if campus is not None and campus == campus_id:
                values[rule] = value
        return values

    def closed_days_of(self, campus_id: str | None) -> frozenset[Day]:
        """The closed days of the campus and of the whole institution."""
        return frozenset(d for c, d in self.closed_days if c is None or c == campus_id)


# -- what comes out --------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Span:
    customer_id: str
    valid_from: Day
    valid_to: Day | None
    stage_code: str
    base_stage: str
    run_no: int


@dataclass(frozen=True, order=True)
class Transition:
    customer_id: str
    transition_on: Day
    layer: str
    from_code: str
    to_code: str
    reason_code: str


@dataclass(frozen=True, order=True)
class Signal:
    customer_id: str
    signal_code: str
    opened_on: Day
    closed_on: Day | None


@dataclass(frozen=True)
class Lifecycle:
    spans: tuple[Span, ...]
    transitions: tuple[Transition, ...]
    signals: tuple[Signal, ...]


# -- what was known as of a day --------------------------------------------------------------------


def known(history: History, as_of: Day) -> History:
    """The history as it was known at the end of ``as_of``: nothing that happened later, no change made later.

    A line granted later but cut by then leaves the day of the cut behind as a contact (R9).
    """
    return replace(
        history,
        contacts=tuple(d for d in history.contacts if d <= as_of)
        + tuple(
            line.cut_on
            for line in history.lines
            if line.granted_on > as_of and line.cut_on is not None and line.cut_on <= as_of
        ),
        lines=tuple(
            line if line.cut_on is None or line.cut_on <= as_of else replace(line, cut_on=None, cut_by=None)
            for line in history.lines
            if line.granted_on <= as_of
        ),
        outcomes=tuple(o for o in history.outcomes if day_of(o.lesson_at) <= as_of),
        study=tuple(d for d in history.study if d <= as_of),
        homework=tuple(
            Homework(h.due_on, _by(h.submitted_on, as_of))
            for h in history.homework
            if h.due_on <= as_of or _by(h.submitted_on, as_of) is not None
        ),
        complaints=tuple(
            Complaint(c.opened_on, _by(c.closed_on, as_of))
            for c in history.complaints
            if c.opened_on <= as_of
        ),
        nps=tuple(r for r in history.nps if day_of(r.responded_at) <= as_of),
        refund_requests=tuple(
            RefundRequest(r.requested_on, _by(r.resolved_on, as_of))
            for r in history.refund_requests
            if r.requested_on <= as_of
        ),
        pauses=tuple(Pause(p.from_on, _by(p.to_on, as_of)) for p in history.pauses if p.from_on <= as_of),
    )


def _by(number: Day | None, as_of: Day) -> Day | None:
    """The day, unless it was still to come."""
    return number if number is not None and number <= as_of else None


def first_contact(history: History) -> Day | None:
    """The earliest day of any fact about the customer; homework counts by its submission."""
    days: list[Day] = [*history.contacts, *history.study]
    days += [line.granted_on for line in history.lines]
    days += [line.cut_on for line in history.lines if line.cut_on is not None]
    days += [day_of(o.lesson_at) for o in history.outcomes]
    days += [h.submitted_on for h in history.homework if h.submitted_on is not None]
    days += [c.opened_on for c in history.complaints]
    days += [day_of(r.responded_at) for r in history.nps]
    days += [r.requested_on for r in history.refund_requests]
    days += [p.from_on for p in history.pauses]
    return min(days, default=None)


# -- lines and runs --------------------------------------------------------------------------------


@dataclass(frozen=True)
class HeldLine:
    """A line with at least one day: the days ``[first, last]`` it covers, and by what it ended.

    ``last`` is None while the line goes on without a known end.
    """

    line: Line
    last: Day | None
    ended_by: Literal["itself", "withdrew", "refunded"]

    @property
    def first(self) -> Day:
        return self.line.granted_on

    def covers(self, number: Day) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)

    @property
    def is_purchase(self) -> bool:
        return not self.line.is_gift


def used_up_on(line: Line, outcomes: Iterable[Outcome]) -> Day | None:
    """The day on which the attended hours of a package reach its lessons; None if they do not (R8)."""
    if line.kind != "package" or line.lessons is None:
        return None
    hours_of_day: dict[Day, Decimal] = defaultdict(Decimal)
    for outcome in outcomes:
        if outcome.line_id == line.line_id and outcome.outcome == "attended":
            hours_of_day[day_of(outcome.lesson_at)] += outcome.hours or Decimal(0)
    consumed = Decimal(0)
    for number in sorted(hours_of_day):
        consumed += hours_of_day[number]
        if consumed >= line.lessons:
            return number
    return None


def held(line: Line, outcomes: Iterable[Outcome]) -> HeldLine | None:
    """The days a line covers; None for a line left with no day."""
    ends = [end for end in (line.ends_on, used_up_on(line, outcomes)) if end is not None]
    own_end = min(ends, default=None)
    last, ended_by = own_end, "itself"
    # A cut on the line's last day shortens it; one on the day after comes too late (R4).
    if line.cut_on is not None and (own_end is None or line.cut_on <= own_end):
        last, ended_by = line.cut_on - 1, line.cut_by or "withdrew"
    if last is not None and last < line.granted_on:
        return None
    return HeldLine(line, last, ended_by)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Run:
    """From the first purchase of a stretch of served days to its last day, as far as ``as_of``."""

    run_no: int
    first: Day
    last: Day
    end_reason: str

    @property
    def days(self) -> range:
        return range(self.first, self.last + 1)


def stretches(days: Iterable[Day]) -> list[tuple[Day, Day]]:
    """Unbroken stretches of days, each as its first and last day."""
    found: list[tuple[Day, Day]] = []
    for number in sorted(days):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


@dataclass(frozen=True)
class Entitlement:
    lines: tuple[HeldLine, ...]
    entitled: frozenset[Day]
    served: frozenset[Day]
    purchase_days: tuple[Day, ...]
    runs: tuple[Run, ...]


def entitlement(facts: History, as_of: Day, rules: Rules) -> Entitlement:
    """Lines, entitled and served days, and runs, all up to ``as_of``."""
    lines = tuple(h for line in facts.lines if (h := held(line, facts.outcomes)) is not None)
    entitled: set[Day] = set()
    served: set[Day] = set()
    for line in lines:
        last = as_of if line.last is None else min(line.last, as_of)
        entitled.update(range(line.first, last + 1))
        served.update(range(line.first, last + 1))
        if line.last is not None and line.ended_by == "itself":
            in_grace = range(line.last + 1, line.last + int(rules["grace_days"]) + 1)
            served.update(d for d in in_grace if d <= as_of)
    purchase_days = sorted({line.first for line in lines if line.is_purchase})
    runs: list[Run] = []
    for first_served, last_served in stretches(served):
        bought_on = [d for d in purchase_days if first_served <= d <= last_served]
        if bought_on:
            cuts = {line.ended_by for line in lines if line.last == last_served} - {"itself"}
            reason = "withdrew" if "withdrew" in cuts else "refunded" if "refunded" in cuts else "lapsed"
            run_no = len(runs) + 1
            runs.append(Run(run_no, bought_on[0], last_served, reason))
    return Entitlement(lines, frozenset(entitled), frozenset(served), tuple(purchase_days), tuple(runs))


# -- the base layer --------------------------------------------------------------------------------


@dataclass(frozen=True)
class BaseDay:
    """A day's base stage and run, and why a stage that begins on this day does so."""

    base_stage: str
    run_no: int
    reason: str


def growth_begins(
    run: Run, ent: Entitlement, study_days: Sequence[Day], rules: Rules
) -> tuple[Day, str] | None:
    """The first day of growth in run 1 and the reason; None if onboarding lasts to the end of the run."""
    bought_on = {d for d in ent.purchase_days if d in run.days}
    day_after_own_end = {
        line.last + 1
        for line in ent.lines
        if line.is_purchase and line.first in run.days and line.ended_by == "itself" and line.last is not None
    }
    for d in run.days:
        if d in bought_on and d != run.first:
            return d, "repeat_purchase"
        if d in day_after_own_end:
            return d, "first_course_completed"
        if (
            d - run.first >= rules["onboarding_days"]
            and count_between(study_days, run.first, d) >= rules["onboarding_study_days"]
        ):
            return d, "continued_use"
    return None


def is_mature_age(run: Run, d: Day, ent: Entitlement, study_days: Sequence[Day], rules: Rules) -> bool:
    """Whether the run is old enough and has purchases or study enough for maturity on a day."""
    return d - run.first >= rules["mature_days"] and (
        count_between(ent.purchase_days, run.first, d) >= rules["mature_purchase_days"]
        or count_between(study_days, run.first, d) >= rules["mature_study_days"]
    )


def base_days(
    ent: Entitlement, study_days: Sequence[Day], first: Day, as_of: Day, rules: Rules
) -> dict[Day, BaseDay]:
    """The base stage of every day from first contact to ``as_of``."""
    days: dict[Day, BaseDay] = {}
    until = ent.runs[0].first if ent.runs else as_of + 1
    for d in range(first, until):
        days[d] = BaseDay("prospect", 0, "first_contact")

    for index, run in enumerate(ent.runs):
        if run.run_no == 1:
            growth = growth_begins(run, ent, study_days, rules)
            entered_by = "first_purchase"
        else:
            growth = (run.first, "won_back")
            entered_by = "won_back"
        is_mature = False
        for d in run.days:
            if growth is None or d < growth[0]:
                stage, reason = "onboarding", entered_by
            else:
                is_mature = is_mature or is_mature_age(run, d, ent, study_days, rules)
                stage, reason = ("mature", "maturity_reached") if is_mature else ("growth", growth[1])
            days[d] = BaseDay(stage, run.run_no, reason)

        next_first = ent.runs[index + 1].first if index + 1 < len(ent.runs) else as_of + 1
        for d in range(run.last + 1, next_first):
            if d - run.last <= rules["dormant_after_days"]:
                days[d] = BaseDay("terminated", run.run_no, run.end_reason)
            else:
                days[d] = BaseDay("dormant", run.run_no, "dormancy")
    return days


def count_between(days: Sequence[Day], first: Day, last: Day) -> int:
    """How many of the sorted days lie in ``[first, last]``."""
    return max(0, bisect_right(days, last) - bisect_right(days, first - 1))


# -- the danger layer ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """What every signal looks at: one run of one customer, and everything known about the customer."""

    run: Run
    facts: History
    ent: Entitlement
    study_days: tuple[Day, ...]
    paused: frozenset[Day]
    closed_days: frozenset[Day]
    rules: Rules

    def rule(self, name: str) -> Decimal:
        return self.rules[name]


def refund_request(case: Case) -> set[Day]:
    """From the day requested to the day before it was resolved."""
    return {
        d
        for request in case.facts.refund_requests
        for d in case.run.days
        if request.requested_on <= d and (request.resolved_on is None or d < request.resolved_on)
    }


def complaint(case: Case) -> set[Day]:
    """From the day opened to the day before it closed."""
    return {
        d
        for made in case.facts.complaints
        for d in case.run.days
        if made.opened_on <= d and (made.closed_on is None or d < made.closed_on)
    }


def detractor(case: Case) -> set[Day]:
    """The last response is bad and not old. The latest instant is the last, the lower score at a tie."""
    responses = sorted(case.facts.nps, key=lambda r: (r.responded_at, -r.score))
    response_days = [day_of(r.responded_at) for r in responses]
    open_days = set()
    for d in case.run.days:
        so_far = bisect_right(response_days, d)
        if so_far:
            is_bad = responses[so_far - 1].score <= case.rule("detractor_score_max")
            if is_bad and d < response_days[so_far - 1] + case.rule("detractor_days"):
                open_days.add(d)
    return open_days


def absences(case: Case) -> set[Day]:
    """Too many of the last outcomes of the run are absences; leave is an outcome, but none (R6, R7)."""
    in_order = sorted(case.facts.outcomes, key=lambda o: (o.lesson_at, o.outcome == "absent"))
    counted = [
        o for o in in_order if day_of(o.lesson_at) in case.run.days and day_of(o.lesson_at) not in case.paused
    ]
    outcome_days = [day_of(o.lesson_at) for o in counted]
    open_days = set()
    for d in case.run.days:
        so_far = bisect_right(outcome_days, d)
        last_ones = counted[max(0, so_far - int(case.rule("absences_of_last"))) : so_far]
        if last_ones and sum(o.outcome == "absent" for o in last_ones) >= case.rule("absences_min"):
            open_days.add(d)
    return open_days - case.paused


def usage_drop(case: Case) -> set[Day]:
    """At most half the study days of the four weeks before, in a run eight weeks old and not for holidays."""

    def is_open_in_week_of(m: Day) -> bool:
        before = count_between(case.study_days, m - 56, m - 29)
        lately = count_between(case.study_days, m - 28, m - 1)
        return (
            m - 56 >= case.run.first
            and before >= case.rule("usage_prior_min")
            and lately <= case.rule("usage_ratio_max") * before
            and sum(d in case.closed_days for d in range(m - 28, m)) < case.rule("closed_days_max")
            and not any(d in case.paused for d in range(m - 56, m))
        )

    mondays = {monday_of(d) for d in case.run.days}
    open_mondays = {m for m in mondays if is_open_in_week_of(m)}
    return {d for d in case.run.days if monday_of(d) in open_mondays} - case.paused


def homework_slump(case: Case) -> set[Day]:
    """The last two weeks (before the day's week) that hold homework of the run were both done too little."""
    by_week: dict[Day, list[Homework]] = defaultdict(list)
    for homework in case.facts.homework:
        if homework.due_on in case.run.days and homework.due_on not in case.paused:
            by_week[monday_of(homework.due_on)].append(homework)
    if not by_week:
        return set()

    def is_slack(week: Day) -> bool:
        sunday = week + 6
        done = sum(h.submitted_on is not None and h.submitted_on <= sunday for h in by_week[week])
        return done < case.rule("homework_threshold") * len(by_week[week])

    weeks = sorted(by_week)
    open_days = set()
    for d in case.run.days:
        last_two = [week for week in weeks if week < monday_of(d)][-2:]
        if len(last_two) == 2 and all(is_slack(week) for week in last_two):
            open_days.add(d)
    return open_days - case.paused


def inactive(case: Case) -> set[Day]:
    """Nothing done for too many unpaused days although a self-paced line can be studied (R3, R10)."""
    lines = [line for line in case.ent.lines if line.line.delivery == "self_paced"]
    if not lines:
        return set()
    unpaused_upto: dict[Day, int] = {}
    unpaused = 0
    for d in case.run.days:
        unpaused += d not in case.paused
        unpaused_upto[d] = unpaused

    def last_study_in_run(d: Day) -> Day | None:
        so_far = bisect_right(case.study_days, d)
        found = case.study_days[so_far - 1] if so_far else None
        return found if found is not None and found >= case.run.first else None

    open_days = set()
    for d in case.run.days:
        studied_on = last_study_in_run(d)
        for line in lines:
            starts_on = line.first if line.line.starts_on is None else line.line.starts_on
            if line.covers(d) and starts_on <= d:
                since = max(studied_on or case.run.first, case.run.first, starts_on)
                if unpaused_upto[d] - unpaused_upto[since] > case.rule("inactive_days"):
                    open_days.add(d)
    return open_days - case.paused


def lapsing(case: Case) -> set[Day]:
    """Served but not entitled: the grace days."""
    return {d for d in case.run.days if d in case.ent.served and d not in case.ent.entitled}


SIGNAL_DAYS: Mapping[str, Callable[[Case], set[Day]]] = {
    "refund_request": refund_request,
    "complaint": complaint,
    "detractor": detractor,
    "absences": absences,
    "usage_drop": usage_drop,
    "homework_slump": homework_slump,
    "inactive": inactive,
    "lapsing": lapsing,
}


# -- the whole -------------------------------------------------------------------------------------


def lifecycle(history: History, as_of: Day, institution: Institution | None = None) -> Lifecycle:
    """The spans, transitions and signals of one customer as of a day; empty before the first contact."""
    institution = institution or Institution()
    facts = known(history, as_of)
    first = first_contact(facts)
    if first is None:
        return Lifecycle((), (), ())
    rules = institution.rules_of(history.campus_id)
    attended = {day_of(o.lesson_at) for o in facts.outcomes if o.outcome == "attended"}
    study_days = tuple(sorted({*facts.study, *attended}))
    paused = frozenset(
        d
        for pause in facts.pauses
        for d in range(pause.from_on, (as_of if pause.to_on is None else pause.to_on) + 1)
    )
    ent = entitlement(facts, as_of, rules)
    base = base_days(ent, study_days, first, as_of, rules)

    signal_days: dict[str, set[Day]] = {code: set() for code in SIGNALS}
    for run in ent.runs:
        case = Case(run, facts, ent, study_days, paused, institution.closed_days_of(history.campus_id), rules)
        for code in SIGNALS:
            signal_days[code] |= SIGNAL_DAYS[code](case)
    danger = set().union(*signal_days.values())

    customer_id = history.customer_id
    return Lifecycle(
        tuple(_spans(customer_id, base, danger, first, as_of)),
        tuple(sorted(_transitions(customer_id, base, danger, first, as_of))),
        tuple(
            Signal(customer_id, code, opened_on, None if last == as_of else last + 1)
            for code in SIGNALS
            for opened_on, last in stretches(signal_days[code])
        ),
    )


def _spans(
    customer_id: str, base: Mapping[Day, BaseDay], danger: set[Day], first: Day, as_of: Day
) -> Iterator[Span]:
    begun = first
    for d in range(first, as_of + 1):
        today = (d in danger, base[d].base_stage)
        tomorrow = (d + 1 in danger, base[d + 1].base_stage) if d < as_of else None
        if today != tomorrow:
            stage = "danger" if d in danger else base[d].base_stage
            valid_to = d + 1 if d < as_of else None
            yield Span(customer_id, begun, valid_to, stage, base[d].base_stage, base[d].run_no)
            begun = d + 1


def _transitions(
    customer_id: str, base: Mapping[Day, BaseDay], danger: set[Day], first: Day, as_of: Day
) -> Iterator[Transition]:
    for d in range(first, as_of + 1):
        before = base[d - 1].base_stage if d > first else ""
        if base[d].base_stage != before:
            # On a first contact that is a purchase, the purchase is the reason (R1).
            yield Transition(customer_id, d, "base", before, base[d].base_stage, base[d].reason)
        was_on, is_on = d - 1 in danger, d in danger
        if is_on and not was_on:
            yield Transition(customer_id, d, "danger", "clear", "danger", "signal_opened")
        if was_on and not is_on:
            in_run = base[d].base_stage in ("onboarding", "growth", "mature")
            # After its last day the run's end is the reason, whatever else ended with it (R2).
            reason = "signals_cleared" if in_run else "run_ended"
            yield Transition(customer_id, d, "danger", "danger", "clear", reason)


def clip(result: Lifecycle, as_of: Day) -> Lifecycle:
    """A result cut at an earlier day: what a build as of that day must have said."""
    return Lifecycle(
        tuple(replace(s, valid_to=_by(s.valid_to, as_of)) for s in result.spans if s.valid_from <= as_of),
        tuple(t for t in result.transitions if t.transition_on <= as_of),
        tuple(replace(s, closed_on=_by(s.closed_on, as_of)) for s in result.signals if s.opened_on <= as_of),
    )


# -- folders of CSV files --------------------------------------------------------------------------


COLUMNS: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id", "campus_id"),
    "contacts": ("customer_id", "day"),
    "lines": (
        "line_id",
        "customer_id",
        "order_id",
        "is_gift",
        "kind",
        "granted_on",
        "starts_on",
        "ends_on",
        "lessons",
        "delivery",
        "cut_on",
        "cut_by",
    ),
    "outcomes": ("customer_id", "line_id", "lesson_at", "outcome", "hours"),
    "study": ("customer_id", "day"),
    "homework": ("customer_id", "due_on", "submitted_on"),
    "complaints": ("customer_id", "opened_on", "closed_on"),
    "nps": ("customer_id", "responded_at", "score"),
    "refund_requests": ("customer_id", "requested_on", "resolved_on"),
    "pauses": ("customer_id", "from_on", "to_on"),
    "closed_days": ("campus_id", "day"),
    "rules": ("campus_id", "rule", "value"),
}

OUTPUT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "spans": ("customer_id", "stage_code", "base_stage", "run_no", "valid_from", "valid_to"),
    "transitions": ("customer_id", "transition_on", "layer", "from_code", "to_code", "reason_code"),
    "signals": ("customer_id", "signal_code", "opened_on", "closed_on"),
}

Row = Mapping[str, str]

# One folder repeats the same few thousand dates millions of times.
_day = lru_cache(maxsize=100_000)(day)
_iso = lru_cache(maxsize=100_000)(iso)


def _rows(folder: Path, name: str) -> Iterator[Row]:
    path = folder / f"{name}.csv"
    if path.exists():
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.DictReader(file)


def _by_customer(folder: Path, name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in _rows(folder, name):
        found[row["customer_id"]].append(row)
    return found


def _optional_day(text: str) -> Day | None:
    return _day(text) if text else None


def _optional_decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _line(row: Row) -> Line:
    return Line(
        line_id=row["line_id"],
        order_id=row["order_id"],
        is_gift=row["is_gift"].lower() == "true",
        kind=row["kind"],  # type: ignore[arg-type]
        granted_on=_day(row["granted_on"]),
        starts_on=_optional_day(row["starts_on"]),
        ends_on=_optional_day(row["ends_on"]),
        lessons=_optional_decimal(row["lessons"]),
        delivery=row["delivery"] or "scheduled",  # type: ignore[arg-type]
        cut_on=_optional_day(row["cut_on"]),
        cut_by=row["cut_by"] or None,  # type: ignore[arg-type]
    )


def _outcome(row: Row) -> Outcome:
    return Outcome(
        line_id=row["line_id"] or None,
        lesson_at=datetime.fromisoformat(row["lesson_at"]),
        outcome=row["outcome"],  # type: ignore[arg-type]
        hours=_optional_decimal(row["hours"]),
    )


def read_institution(folder: Path) -> Institution:
    """Closed days and rules of a folder of histories."""
    return Institution(
        closed_days=tuple(
            (row["campus_id"] or None, _day(row["day"])) for row in _rows(folder, "closed_days")
        ),
        rules=tuple(
            (row["campus_id"] or None, row["rule"], Decimal(row["value"])) for row in _rows(folder, "rules")
        ),
    )


def read_histories(folder: Path) -> Iterator[History]:
    """The customers of a folder of histories, with their facts; a missing file is empty."""
    files = {
        name: _by_customer(folder, name)
        for name in COLUMNS
        if name not in ("customers", "closed_days", "rules")
    }
    for customer in _rows(folder, "customers"):
        customer_id = customer["customer_id"]
        of = {name: rows.get(customer_id, []) for name, rows in files.items()}
        yield History(
            customer_id=customer_id,
            campus_id=customer["campus_id"] or None,
            contacts=tuple(_day(r["day"]) for r in of["contacts"]),
            lines=tuple(_line(r) for r in of["lines"]),
            outcomes=tuple(_outcome(r) for r in of["outcomes"]),
            study=tuple(_day(r["day"]) for r in of["study"]),
            homework=tuple(
                Homework(_day(r["due_on"]), _optional_day(r["submitted_on"])) for r in of["homework"]
            ),
            complaints=tuple(
                Complaint(_day(r["opened_on"]), _optional_day(r["closed_on"])) for r in of["complaints"]
            ),
            nps=tuple(
                Response(datetime.fromisoformat(r["responded_at"]), int(r["score"])) for r in of["nps"]
            ),
            refund_requests=tuple(
                RefundRequest(_day(r["requested_on"]), _optional_day(r["resolved_on"]))
                for r in of["refund_requests"]
            ),
            pauses=tuple(Pause(_day(r["from_on"]), _optional_day(r["to_on"])) for r in of["pauses"]),
        )


def span_row(span: Span) -> tuple[str, ...]:
    valid_to = "" if span.valid_to is None else _iso(span.valid_to)
    run_no = str(span.run_no)
    return (span.customer_id, span.stage_code, span.base_stage, run_no, _iso(span.valid_from), valid_to)


def transition_row(change: Transition) -> tuple[str, ...]:
    return (
        change.customer_id,
        _iso(change.transition_on),
        change.layer,
        change.from_code,
        change.to_code,
        change.reason_code,
    )


def signal_row(signal: Signal) -> tuple[str, ...]:
    closed_on = "" if signal.closed_on is None else _iso(signal.closed_on)
    return (signal.customer_id, signal.signal_code, _iso(signal.opened_on), closed_on)


def rows_of(result: Lifecycle) -> dict[str, list[tuple[str, ...]]]:
    """A result as the rows of its three files."""
    return {
        "spans": [span_row(s) for s in result.spans],
        "transitions": [transition_row(t) for t in result.transitions],
        "signals": [signal_row(s) for s in result.signals],
    }


def lifecycles(
    histories: Sequence[History], as_of: Day, institution: Institution | None = None, processes: int = 1
) -> list[Lifecycle]:
    """The lifecycle of every customer, in the order of the histories."""
    one = partial(lifecycle, as_of=as_of, institution=institution or Institution())
    if processes == 1:
        return [one(history) for history in histories]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(one, histories, chunksize=200))


def spans(events: Path, as_of: date, out: Path, processes: int = 1) -> None:
    """Read the histories in ``events`` and write spans.csv, transitions.csv and signals.csv to ``out``."""
    results = lifecycles(list(read_histories(events)), as_of.toordinal(), read_institution(events), processes)
    out.mkdir(parents=True, exist_ok=True)
    for name, columns in OUTPUT_COLUMNS.items():
        with (out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            for result in results:
                writer.writerows(rows_of(result)[name])


def main() -> None:
    parser = argparse.ArgumentParser(description="Lifecycle of histories given as CSV, by the reference.")
    parser.add_argument("--events", type=Path, required=True, help="folder of CSV histories")
    parser.add_argument("--as-of", type=date.fromisoformat, required=True, help="last day that counts")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three results")
    parser.add_argument("--processes", type=int, default=1, help="processes to share the customers among")
    arguments = parser.parse_args()
    spans(arguments.events, arguments.as_of, arguments.out, arguments.processes)


if __name__ == "__main__":
    main()
