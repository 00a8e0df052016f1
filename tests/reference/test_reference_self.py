"""The reference judged by hand: cases worked out from the definition page, and what always holds.

Days are told as offsets from a Monday: ``at(0)`` is Monday 2025-01-06, ``at(6)`` the Sunday after.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .histories import AS_OF, bulk, bulk_institution, histories, institutions, shuffled, write
from .lifecycle_reference import (
    DEFAULT_RULES,
    INSTITUTION_TIMEZONE,
    SIGNALS,
    Complaint,
    Day,
    History,
    Homework,
    Institution,
    Lifecycle,
    Line,
    Outcome,
    Pause,
    RefundRequest,
    Response,
    clip,
    day,
    iso,
    known,
    lifecycle,
    lifecycles,
    read_histories,
    read_institution,
    spans,
)

MONDAY = day("2025-01-06")
LATER = 850
FOREVER = 900


def at(offset: int) -> Day:
    return MONDAY + offset


def instant(offset: int, hour: int = 12) -> datetime:
    return datetime.fromordinal(at(offset)).replace(hour=hour, tzinfo=INSTITUTION_TIMEZONE)


def line(
    granted: int = 0,
    ends: int | None = FOREVER,
    *,
    gift: bool = False,
    starts: int | None = None,
    lessons: str | None = None,
    self_paced: bool = False,
    withdrew: int | None = None,
    refunded: int | None = None,
    name: str = "L",
) -> Line:
    cut = withdrew if withdrew is not None else refunded
    return Line(
        line_id=f"{name}{granted}",
        order_id=f"O{granted}",
        is_gift=gift,
        kind="package" if lessons else "period",
        granted_on=at(granted),
        starts_on=None if starts is None else at(starts),
        ends_on=None if ends is None else at(ends),
        lessons=Decimal(lessons) if lessons else None,
        delivery="self_paced" if self_paced else "scheduled",
        cut_on=None if cut is None else at(cut),
        cut_by=None if cut is None else "withdrew" if withdrew is not None else "refunded",
    )


def lesson(offset: int, outcome: str, hour: int = 12, of: str | None = None, hours: str = "1") -> Outcome:
    return Outcome(of, instant(offset, hour), outcome, Decimal(hours))  # type: ignore[arg-type]


def customer(
    *lines: Line, contacts: Iterable[int] = (), study: Iterable[int] = (), **facts: object
) -> History:
    return History(
        "C1",
        "north",
        contacts=tuple(at(d) for d in contacts),
        lines=lines,
        study=tuple(at(d) for d in study),
        **facts,  # type: ignore[arg-type]
    )


def base(history: History, as_of: int = LATER, **rules: object) -> list[tuple[int, str, str]]:
    """The base layer's changes as (offset, to, reason)."""
    result = lifecycle(history, at(as_of), institution(**rules))
    return [
        (t.transition_on - MONDAY, t.to_code, t.reason_code) for t in result.transitions if t.layer == "base"
    ]


def danger(history: History, as_of: int = LATER) -> list[tuple[int, str, str]]:
    """The danger layer's changes as (offset, to, reason)."""
    result = lifecycle(history, at(as_of))
    return [
        (t.transition_on - MONDAY, t.to_code, t.reason_code)
        for t in result.transitions
        if t.layer == "danger"
    ]


def signal(code: str, history: History, as_of: int = LATER, **rules: object) -> list[tuple[int, int | None]]:
    """The stretches of a signal as (opened, closed) offsets."""
    result = lifecycle(history, at(as_of), institution(**rules))
    return [
        (s.opened_on - MONDAY, None if s.closed_on is None else s.closed_on - MONDAY)
        for s in result.signals
        if s.signal_code == code
    ]


def institution(closed: Iterable[int] = (), /, **rules: object) -> Institution:
    return Institution(
        closed_days=tuple((None, at(d)) for d in closed),
        rules=tuple((None, name, Decimal(str(value))) for name, value in rules.items()),
    )


# -- first contact and first purchase --------------------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [
        customer(contacts=[5, 9]),
        customer(study=[5]),
        customer(outcomes=(lesson(5, "absent"),)),
        customer(homework=(Homework(at(2), at(5)),)),
        customer(homework=(Homework(at(9), at(5)),)),
        customer(complaints=(Complaint(at(5)),)),
        customer(nps=(Response(instant(5), 9),)),
        customer(refund_requests=(RefundRequest(at(5)),)),
        customer(pauses=(Pause(at(5)),)),
        customer(line(5, 20, gift=True)),
        customer(line(5, 20, refunded=5)),
        customer(line(7, 20, withdrew=5)),
        customer(line(5, 4)),
    ],
    ids=[
        "contact",
        "study",
        "a missed lesson",
        "homework submitted late",
        "homework submitted early",
        "complaint",
        "survey",
        "refund request",
        "pause",
        "gift",
        "line cut on its first day",
        "line cut before it was granted",
        "line that ends before it begins",
    ],
)
def test_any_fact_is_a_first_contact(history: History) -> None:
    assert base(history)[0] == (5, "prospect", "first_contact")


def test_homework_never_submitted_is_no_contact() -> None:
    assert base(customer(homework=(Homework(at(2)),))) == []


def test_nothing_is_known_before_the_first_contact() -> None:
    history = customer(line(5, 20), contacts=[3])
    assert lifecycle(history, at(2)) == Lifecycle((), (), ())
    assert base(history, as_of=3) == [(3, "prospect", "first_contact")]
    assert base(history, as_of=4) == [(3, "prospect", "first_contact")]
    assert base(history, as_of=5)[-1] == (5, "onboarding", "first_purchase")


def test_a_cut_is_a_contact_before_its_line_is_known() -> None:
    history = customer(line(7, 20, withdrew=5))
    for as_of in (5, 6, 7, 8):
        assert base(history, as_of=as_of) == [(5, "prospect", "first_contact")]


def test_purchase_as_first_contact_is_told_as_first_purchase() -> None:
    result = lifecycle(customer(line(0)), at(10))
    assert [(t.from_code, t.to_code, t.reason_code) for t in result.transitions] == [
        ("", "onboarding", "first_purchase")
    ]


def test_days_are_those_of_the_institution() -> None:
    last_minute = datetime(2025, 1, 6, 15, 59, 59, tzinfo=UTC)
    midnight = datetime(2025, 1, 6, 16, 0, 0, tzinfo=UTC)
    assert base(customer(nps=(Response(last_minute, 9),)))[0][0] == 0
    assert base(customer(nps=(Response(midnight, 9),)))[0][0] == 1


# -- runs and grace --------------------------------------------------------------------------------


def test_a_line_serves_thirty_days_after_its_last_day() -> None:
    history = customer(line(0, 89))
    assert base(history, as_of=119)[-1] == (90, "growth", "first_course_completed")
    assert base(history, as_of=120)[-1] == (120, "terminated", "lapsed")
    assert signal("lapsing", history) == [(90, 120)]
    assert signal("lapsing", history, as_of=89) == []
    assert signal("lapsing", history, as_of=119) == [(90, None)]


@pytest.mark.parametrize(
    ("bought_on", "reason"),
    [(119, None), (120, None), (121, "won_back")],
    ids=["last grace day", "next", "later"],
)
def test_a_purchase_continues_the_run_up_to_the_day_after_grace(bought_on: int, reason: str | None) -> None:
    changes = base(customer(line(0, 89), line(bought_on, 600)), as_of=bought_on)
    assert (changes[-1] == (bought_on, "growth", "won_back")) == (reason == "won_back")
    assert ((120, "terminated", "lapsed") in changes) == (reason == "won_back")


def test_run_numbers() -> None:
    result = lifecycle(customer(line(0, 0), line(40, 50), contacts=[-1]), at(LATER))
    assert [(s.base_stage, s.run_no) for s in result.spans if s.stage_code != "danger"] == [
        ("prospect", 0),
        ("onboarding", 1),
        ("terminated", 1),
        ("growth", 2),
        ("terminated", 2),
        ("dormant", 2),
    ]


@pytest.mark.parametrize(
    ("cut_on", "ended_on", "reason"),
    [(40, 40, "withdrew"), (89, 89, "withdrew"), (90, 120, "lapsed"), (95, 120, "lapsed")],
    ids=["in the middle", "on the last day", "on the day after it", "in grace"],
)
def test_a_cut_ends_the_line_the_day_before_and_gives_no_grace(
    cut_on: int, ended_on: int, reason: str
) -> None:
    history = customer(line(0, 89, withdrew=cut_on))
    assert base(history)[-2] == (ended_on, "terminated", reason)
    assert base(history, as_of=ended_on - 1)[0] == (0, "onboarding", "first_purchase")
    assert "terminated" not in [to for _, to, _ in base(history, as_of=ended_on - 1)]


@pytest.mark.parametrize("cut_on", [-1, 0])
def test_a_line_left_with_no_day_is_no_purchase(cut_on: int) -> None:
    assert base(customer(line(0, 89, refunded=cut_on))) == [(cut_on, "prospect", "first_contact")]


def test_a_line_cut_after_its_first_day_is_a_purchase_of_one_day() -> None:  # one day of entitlement
    assert base(customer(line(0, 89, refunded=1)))[:2] == [
        (0, "onboarding", "first_purchase"),
        (1, "terminated", "refunded"),
    ]


def test_a_line_that_ends_before_it_begins_gives_no_grace_either() -> None:
    assert base(customer(line(0, -1))) == [(0, "prospect", "first_contact")]
    assert base(customer(line(0, 0)))[0] == (0, "onboarding", "first_purchase")


def test_withdrawal_goes_before_refund() -> None:
    history = customer(line(0, 89, refunded=40), line(10, 99, withdrew=40))
    assert base(history)[-2] == (40, "terminated", "withdrew")
    assert base(customer(line(0, 89, refunded=40), line(10, 99, withdrew=39)))[-2] == (
        40,
        "terminated",
        "refunded",
    )


def test_grace_of_another_line_outlives_a_cut() -> None:
    history = customer(line(0, 9), line(20, 99, withdrew=30))
    assert base(history)[-2] == (40, "terminated", "lapsed")


def test_a_cut_on_the_last_grace_day_of_another_line_is_the_reason() -> None:
    history = customer(line(0, 9), line(20, 99, withdrew=40))
    assert base(history)[-2] == (40, "terminated", "withdrew")


def test_an_open_period_goes_on() -> None:
    assert base(customer(line(0, None))) == [(0, "onboarding", "first_purchase")]


# -- gifts -----------------------------------------------------------------------------------------


def test_a_gift_is_no_purchase_and_a_stretch_without_purchase_no_run() -> None:
    assert base(customer(line(0, 50, gift=True))) == [(0, "prospect", "first_contact")]
    assert signal("lapsing", customer(line(0, 50, gift=True))) == []


def test_a_run_begins_with_the_purchase_in_a_stretch_that_begins_with_a_gift() -> None:
    history = customer(line(0, 50, gift=True), line(60, 70))
    assert base(history)[:2] == [(0, "prospect", "first_contact"), (60, "onboarding", "first_purchase")]


def test_a_gift_in_grace_keeps_the_run() -> None:
    history = customer(line(0, 9), line(39, 99, gift=True))
    assert (130, "terminated", "lapsed") in base(history)
    assert signal("lapsing", history) == [(10, 39), (100, 130)]
    assert (40, "terminated", "lapsed") in base(customer(line(0, 9), line(41, 99, gift=True)))


def test_a_gift_after_the_run_opens_none_and_a_purchase_under_it_does() -> None:
    history = customer(line(0, 9), line(41, 99, gift=True), line(60, 70))
    assert base(history)[2:4] == [(40, "terminated", "lapsed"), (60, "growth", "won_back")]
    assert (130, "terminated", "lapsed") in base(history)


def test_the_end_of_a_gift_completes_no_course() -> None:
    history = customer(line(0, 200), line(0, 9, gift=True))
    assert base(history, as_of=150) == [(0, "onboarding", "first_purchase")]


def test_a_cut_gift_can_end_a_run() -> None:
    history = customer(line(0, 9), line(20, 99, gift=True, refunded=60))
    assert (60, "terminated", "refunded") in base(history)


# -- packages --------------------------------------------------------------------------------------


def package_outcomes(*days: int, hours: str = "1") -> tuple[Outcome, ...]:
    return tuple(lesson(d, "attended", of="L0", hours=hours) for d in days)


@pytest.mark.parametrize(
    ("ends", "outcomes", "completed_on"),
    [
        (None, package_outcomes(5, 10, 15), 16),
        (None, package_outcomes(5, 10), None),
        (50, package_outcomes(5, 10), 51),
        (14, package_outcomes(5, 10, 15), 15),
        (15, package_outcomes(5, 10, 15), 16),
        (None, package_outcomes(5, 5, 5), 6),
        (None, package_outcomes(5, 10, hours="1.5"), 11),
        (None, package_outcomes(5, 10, hours="1.4"), None),
        (None, (*package_outcomes(5, 10), lesson(15, "absent", of="L0")), None),
        (None, (*package_outcomes(5, 10), lesson(15, "leave", of="L0")), None),
        (None, (*package_outcomes(5, 10), lesson(15, "attended", of="another")), None),
    ],
    ids=[
        "used up",
        "one lesson left",
        "expires with one left",
        "expires a day too early",
        "expires with the last lesson",
        "three lessons in a day",
        "in halves",
        "nearly",
        "an absence consumes nothing",
        "nor does leave",
        "nor a lesson of another line",
    ],
)
def test_a_package_lasts_to_its_last_lesson_or_expiry(
    ends: int | None, outcomes: tuple[Outcome, ...], completed_on: int | None
) -> None:
    changes = base(customer(line(0, ends, lessons="3"), outcomes=outcomes), as_of=70)
    if completed_on is None:
        assert changes == [(0, "onboarding", "first_purchase")]
    else:
        assert changes[1] == (completed_on, "growth", "first_course_completed")


def test_a_package_cut_on_the_day_of_its_last_lesson_is_cut_and_a_day_later_is_not() -> None:
    outcomes = package_outcomes(5, 10, 15)
    cut = customer(line(0, None, lessons="3", refunded=15), outcomes=outcomes)
    assert base(cut)[1] == (15, "terminated", "refunded")
    too_late = customer(line(0, None, lessons="3", refunded=16), outcomes=outcomes)
    assert base(too_late)[1:3] == [(16, "growth", "first_course_completed"), (46, "terminated", "lapsed")]


def test_a_package_used_up_before_it_was_granted_is_left_with_no_day() -> None:
    assert base(customer(line(0, None, lessons="1"), outcomes=package_outcomes(-1))) == [
        (-1, "prospect", "first_contact")
    ]


# -- onboarding, growth, maturity ------------------------------------------------------------------


def test_the_second_purchase_day_begins_growth() -> None:
    assert base(customer(line(0), line(1)))[1] == (1, "growth", "repeat_purchase")
    assert len(base(customer(line(0), line(0, name="M")))) == 1
    assert len(base(customer(line(0), line(5, refunded=5)))) == 1
    assert len(base(customer(line(0), line(5, gift=True)), as_of=100)) == 1


def test_the_first_end_of_a_course_begins_growth() -> None:
    assert base(customer(line(0, 20), line(0, 9, name="M")))[1] == (10, "growth", "first_course_completed")
    assert base(customer(line(0, 20), line(0, 9, name="M", withdrew=9)))[1][0] == 21


@pytest.mark.parametrize(
    ("study", "growth_on"),
    [
        (range(8), 60),
        (range(-1, 7), None),
        (range(7), None),
        ([*range(7), 59], 60),
        ([*range(7), 60], 60),
        ([*range(7), 61], 61),
        ([*range(7), 6], None),
    ],
    ids=[
        "eight in time",
        "one before the run",
        "seven",
        "on day 59",
        "on day 60",
        "on day 61",
        "one day twice",
    ],
)
def test_sixty_days_and_eight_study_days_begin_growth(study: Iterable[int], growth_on: int | None) -> None:
    changes = base(customer(line(0), study=study))
    if growth_on is None:
        assert changes[-1][1] == "onboarding"
    else:
        assert changes[-1] == (growth_on, "growth", "continued_use")


def test_an_attended_lesson_is_a_study_day() -> None:
    attended = customer(line(0), study=range(7), outcomes=(lesson(20, "attended"),))
    assert base(attended)[-1] == (60, "growth", "continued_use")
    absent = customer(line(0), study=range(7), outcomes=(lesson(20, "absent"), lesson(21, "leave")))
    assert base(absent)[-1][1] == "onboarding"


def test_reasons_of_one_day_go_in_order() -> None:
    assert base(customer(line(0, 59), line(60), study=range(8)))[1] == (60, "growth", "repeat_purchase")
    assert base(customer(line(0, 59), study=range(8)))[1] == (60, "growth", "first_course_completed")


@pytest.mark.parametrize(
    ("bought_on", "mature_on"),
    [((10, 20), 180), ((10, 179), 180), ((10, 180), 180), ((10, 181), 181), ((10,), None), ((10, 10), None)],
)
def test_maturity_by_three_purchase_days(bought_on: tuple[int, ...], mature_on: int | None) -> None:
    lines = [line(d, name=f"L{n}-") for n, d in enumerate(bought_on)]
    changes = base(customer(line(0), *lines))
    assert changes[-1] == (
        (10, "growth", "repeat_purchase") if mature_on is None else (mature_on, "mature", "maturity_reached")
    )


@pytest.mark.parametrize(
    ("study", "mature_on"),
    [
        (range(60), 180),
        (range(59), None),
        (range(-1, 59), None),
        ([*range(59), 180], 180),
        ([*range(59), 181], 181),
    ],
)
def test_maturity_by_sixty_study_days(study: Iterable[int], mature_on: int | None) -> None:
    changes = base(customer(line(0), study=study))
    assert changes[-1] == (
        (60, "growth", "continued_use") if mature_on is None else (mature_on, "mature", "maturity_reached")
    )


def test_maturity_is_kept_to_the_end_of_the_run_and_begins_anew_in_the_next() -> None:
    history = customer(line(0, 300), line(1, 300), line(2, 300), line(400, 800), line(401, 800))
    assert base(history) == [
        (0, "onboarding", "first_purchase"),
        (1, "growth", "repeat_purchase"),
        (180, "mature", "maturity_reached"),
        (331, "terminated", "lapsed"),
        (400, "growth", "won_back"),
        (831, "terminated", "lapsed"),
    ]
    mature_again = base(replace(history, study=tuple(at(d) for d in range(400, 460))))
    assert (580, "mature", "maturity_reached") in mature_again


def test_growth_and_maturity_on_one_day_go_straight_to_mature() -> None:
    history = customer(line(0), study=range(60))
    changes = base(history, onboarding_days=200)
    assert changes == [(0, "onboarding", "first_purchase"), (200, "mature", "maturity_reached")]


def test_maturity_waits_for_growth() -> None:
    changes = base(customer(line(0)), mature_purchase_days=1)
    assert changes == [(0, "onboarding", "first_purchase")]


def test_terminated_for_180_days_then_dormant() -> None:
    history = customer(line(0, 9, withdrew=5))
    assert base(history, as_of=184)[-1] == (5, "terminated", "withdrew")
    assert base(history, as_of=185)[-1] == (185, "dormant", "dormancy")
    won = customer(line(0, 9, withdrew=5), line(185, 300))
    assert [to for _, to, _ in base(won)][:3] == ["onboarding", "terminated", "growth"]
    won = customer(line(0, 9, withdrew=5), line(186, 300))
    assert [to for _, to, _ in base(won)][:4] == ["onboarding", "terminated", "dormant", "growth"]


# -- voices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["complaint", "refund_request"])
def test_an_open_voice_from_its_day_to_the_day_before_its_end(code: str) -> None:
    def voiced(*facts: tuple[int, int | None]) -> History:
        days = [(at(a), None if b is None else at(b)) for a, b in facts]
        if code == "complaint":
            return customer(line(0), complaints=tuple(Complaint(*d) for d in days))
        return customer(line(0), refund_requests=tuple(RefundRequest(*d) for d in days))

    assert signal(code, voiced((5, 8))) == [(5, 8)]
    assert signal(code, voiced((5, 8)), as_of=7) == [(5, None)]
    assert signal(code, voiced((5, 8)), as_of=8) == [(5, 8)]
    assert signal(code, voiced((5, None)), as_of=930) == [(5, None)]
    assert signal(code, voiced((5, None)), as_of=931) == [(5, 931)]
    assert signal(code, voiced((5, 5))) == []
    assert signal(code, voiced((-5, 3))) == [(0, 3)]
    assert signal(code, voiced((-5, 0))) == []
    assert signal(code, voiced((5, 8), (8, 9))) == [(5, 9)]
    assert signal(code, voiced((5, 8), (6, 7))) == [(5, 8)]
    assert signal(code, voiced((5, 8), (9, 10))) == [(5, 8), (9, 10)]


def test_a_voice_is_heard_in_each_run_it_overlaps() -> None:
    history = customer(line(0, 0), line(40, 40), refund_requests=(RefundRequest(at(-3)),))
    assert signal("refund_request", history) == [(0, 31), (40, 71)]


def responses(*facts: tuple[int, int, int]) -> History:
    return customer(line(0), nps=tuple(Response(instant(d, h), score) for d, h, score in facts))


def test_a_detractor_for_thirty_days() -> None:
    assert signal("detractor", responses((5, 12, 6))) == [(5, 35)]
    assert signal("detractor", responses((5, 12, 6)), as_of=34) == [(5, None)]
    assert signal("detractor", responses((5, 12, 7))) == []
    assert signal("detractor", responses((-29, 12, 0))) == [(0, 1)]
    assert signal("detractor", responses((-30, 12, 0))) == []
    assert signal("detractor", responses((5, 12, 6), (35, 12, 6))) == [(5, 65)]
    assert signal("detractor", responses((5, 12, 6), (36, 12, 6))) == [(5, 35), (36, 66)]


def test_the_last_response_counts() -> None:
    assert signal("detractor", responses((5, 12, 6), (9, 12, 7))) == [(5, 9)]
    assert signal("detractor", responses((5, 12, 6), (5, 13, 9))) == []
    assert signal("detractor", responses((5, 13, 6), (5, 12, 9))) == [(5, 35)]
    assert signal("detractor", responses((5, 12, 9), (5, 12, 6))) == [(5, 35)]
    assert signal("detractor", responses((5, 12, 6), (5, 12, 9))) == [(5, 35)]


# -- absences --------------------------------------------------------------------------------------


def absences(
    outcomes: str, *, run: int = 0, step: int = 1, pauses: tuple[Pause, ...] = ()
) -> list[tuple[int, int | None]]:
    """One outcome a step from day 0 on: x absent, v attended, l leave, . none."""
    told = {"x": "absent", "v": "attended", "l": "leave"}
    facts = tuple(lesson(n * step, told[o]) for n, o in enumerate(outcomes) if o != ".")
    return signal("absences", customer(line(run), outcomes=facts, pauses=pauses), as_of=len(outcomes) + 40)


def test_three_of_the_last_five_outcomes_are_absent() -> None:
    assert absences("xx") == []
    assert absences("xxx") == [(2, None)]
    assert absences("xvxvx") == [(4, None)]
    assert absences("xvxvvx") == []
    assert absences("vvvvxxx") == [(6, None)]
    assert absences("xxxvvv") == [(2, 5)]
    assert absences("xxxvv") == [(2, None)]
    assert absences("xxxvvvxx") == [(2, 5)]
    assert absences("xxxvvxx") == [(2, None)]


def test_leave_is_an_outcome_but_no_absence() -> None:
    assert absences("xxl") == []
    assert absences("xlxlx") == [(4, None)]
    assert absences("xllxlx") == []


def test_outcomes_before_the_run_do_not_count() -> None:
    assert absences("xxxx", run=2) == []
    assert absences("xxxx", run=1) == [(3, None)]


def test_several_outcomes_of_a_day_count_each_in_order_of_time() -> None:
    def of_day(*outcomes: tuple[int, str]) -> list[tuple[int, int | None]]:
        facts = tuple(lesson(5, o, hour) for hour, o in outcomes)
        return signal("absences", customer(line(0), outcomes=facts), as_of=10)

    assert of_day((9, "absent"), (10, "absent"), (11, "absent")) == [(5, None)]
    three_then_three = [(9, "absent"), (10, "absent"), (11, "absent"), (12, "attended"), (13, "attended")]
    assert of_day(*three_then_three) == [(5, None)]
    assert of_day(*three_then_three, (14, "attended")) == []
    assert of_day(*three_then_three, (8, "attended")) == [(5, None)]


def test_of_one_instant_the_absence_counts_as_the_later() -> None:
    facts = [lesson(1, "absent"), lesson(2, "attended"), lesson(3, "absent"), lesson(4, "attended")]
    facts += [lesson(0, "absent"), lesson(0, "attended")]
    assert signal("absences", customer(line(0), outcomes=tuple(facts)), as_of=10) == [(3, None)]
    facts = facts[::-1]
    assert signal("absences", customer(line(0), outcomes=tuple(facts)), as_of=10) == [(3, None)]


def test_a_pause_closes_absences_and_its_lessons_are_left_out() -> None:
    assert absences("xxx", pauses=(Pause(at(4), at(6)),)) == [(2, 4), (7, None)]
    assert absences("xxxx", pauses=(Pause(at(1), at(2)),)) == []
    assert absences("xxx.vvvv", pauses=(Pause(at(4), at(6)),)) == [(2, 4), (7, None)]


# -- usage drop ------------------------------------------------------------------------------------

BEFORE = [7, 10, 20, 34]


def usage(
    study: Iterable[int], *, run: int = 7, closed: Iterable[int] = (), pauses: tuple[Pause, ...] = ()
) -> list[tuple[int, int | None]]:
    """Signals in the week of day 63, a Monday: the windows are [7, 34] and [35, 62]."""
    history = customer(line(run), contacts=[0], study=study, pauses=pauses)
    result = lifecycle(history, at(69), institution(closed))
    return [
        (s.opened_on - MONDAY, None if s.closed_on is None else s.closed_on - MONDAY)
        for s in result.signals
        if s.signal_code == "usage_drop"
    ]


def test_half_the_study_days_of_the_month_before() -> None:
    assert usage([*BEFORE, 35, 62]) == [(63, None)]
    assert usage([*BEFORE, 35, 50, 62]) == []
    assert usage([*BEFORE]) == [(63, None)]
    assert usage([*BEFORE, 30, 35, 50]) == [(63, None)]
    assert usage([*BEFORE, 30, 35, 50, 62]) == []


def test_four_study_days_before_at_the_edges_of_the_window() -> None:
    assert usage([7, 10, 20]) == []
    assert usage([6, 10, 20, 34], run=0) == []
    assert usage([7, 10, 20, 35]) == []
    assert usage([7, 7, 10, 20]) == []
    assert usage([*BEFORE, 35, 50, 63]) == [(63, None)]


def test_the_run_is_eight_weeks_old() -> None:
    assert usage(BEFORE, run=7) == [(63, None)]
    assert usage([8, 10, 20, 34], run=8) == []


def test_a_month_with_seven_closed_days_tells_nothing() -> None:
    assert usage(BEFORE, closed=[35, 36, 37, 60, 61, 62]) == [(63, None)]
    assert usage(BEFORE, closed=[35, 36, 37, 38, 60, 61, 62]) == []
    assert usage(BEFORE, closed=[34, 36, 37, 38, 60, 61, 62]) == [(63, None)]
    assert usage(BEFORE, closed=[63, 36, 37, 38, 60, 61, 62]) == [(63, None)]
    assert usage(BEFORE, closed=[35, 35, 36, 37, 60, 61, 62]) == [(63, None)]


def test_closed_days_are_those_of_the_campus_and_of_all() -> None:
    history = customer(line(7), study=BEFORE)
    own = [("north", at(d)) for d in (35, 36, 37)]
    everybody: list[tuple[str | None, Day]] = [(None, at(d)) for d in (37, 38, 39, 40)]
    elsewhere = [("south", at(41))]
    six = lifecycle(history, at(69), Institution((*own, *everybody, *elsewhere)))
    assert "usage_drop" in {s.signal_code for s in six.signals}
    seven = lifecycle(history, at(69), Institution((*own, *everybody, ("north", at(41)))))
    assert "usage_drop" not in {s.signal_code for s in seven.signals}


def test_a_paused_day_in_the_eight_weeks_before_closes_the_week() -> None:
    assert usage(BEFORE, run=0, pauses=(Pause(at(6), at(6)),)) == [(63, None)]
    assert usage(BEFORE, run=0, pauses=(Pause(at(7), at(7)),)) == []
    assert usage(BEFORE, run=0, pauses=(Pause(at(62), at(62)),)) == []
    assert usage(BEFORE, run=0, pauses=(Pause(at(65), at(66)),)) == [(63, 65), (67, None)]


def test_the_week_is_judged_whole() -> None:
    history = customer(line(7), study=[*BEFORE, 64, 65])
    assert signal("usage_drop", history, as_of=66) == [(63, None)]
    assert signal("usage_drop", history, as_of=62) == []
    assert signal("usage_drop", history, as_of=70)[0] == (63, 70)


# -- homework --------------------------------------------------------------------------------------


def homework(
    *weeks: tuple[int, int, int], run: int = 0, pauses: tuple[Pause, ...] = (), as_of: int = 60
) -> list[tuple[int, int | None]]:
    """Weeks as (number, pieces due on its Wednesday, done by its Sunday)."""
    facts = [
        Homework(at(7 * week + 2), at(7 * week + 6) if n < done else None)
        for week, pieces, done in weeks
        for n in range(pieces)
    ]
    history = customer(line(run), contacts=[0], homework=tuple(facts), pauses=pauses)
    return signal("homework_slump", history, as_of=as_of)


def test_two_weeks_below_sixty_per_cent() -> None:
    assert homework((0, 5, 2), (1, 5, 2)) == [(14, None)]
    assert homework((0, 5, 2), (1, 5, 3)) == []
    assert homework((0, 5, 3), (1, 5, 2)) == []
    assert homework((0, 1, 0)) == []
    assert homework((0, 5, 2), (1, 5, 2), as_of=13) == []
    assert homework((0, 5, 2), (1, 5, 2), as_of=14) == [(14, None)]


def test_only_weeks_that_hold_homework_count() -> None:
    assert homework((0, 5, 2), (3, 5, 2)) == [(28, None)]
    assert homework((0, 1, 0), (1, 1, 0), (2, 1, 1)) == [(14, 21)]
    assert homework((0, 1, 0), (1, 1, 0), (4, 1, 1), (5, 1, 0), (6, 1, 0), as_of=60) == [(14, 35), (49, None)]


def test_done_is_submitted_by_the_sunday_of_the_week_due() -> None:
    def slump(submitted_on: int | None) -> bool:
        second = Homework(at(9), None if submitted_on is None else at(submitted_on))
        return bool(signal("homework_slump", customer(line(0), homework=(Homework(at(0)), second)), as_of=30))

    assert not slump(13)
    assert slump(14)
    assert slump(None)
    assert not slump(3)


def test_weeks_are_iso_weeks() -> None:
    def slump(*due: int) -> list[tuple[int, int | None]]:
        return signal(
            "homework_slump", customer(line(0), homework=tuple(Homework(at(d)) for d in due)), as_of=30
        )

    assert slump(6, 7) == [(14, None)]
    assert slump(7, 13) == []


def test_homework_due_before_the_run_or_on_a_paused_day_is_left_out() -> None:
    assert homework((0, 1, 0), (1, 1, 0), run=2) == [(14, None)]
    assert homework((0, 1, 0), (1, 1, 0), run=3) == []
    assert homework((0, 1, 0), (1, 1, 0), pauses=(Pause(at(2), at(2)),)) == []
    assert homework((0, 1, 0), (1, 1, 0), pauses=(Pause(at(15), at(20)),)) == [(14, 15), (21, None)]


# -- inactivity ------------------------------------------------------------------------------------


def idle(
    *lines: Line, study: Iterable[int] = (), pauses: tuple[Pause, ...] = (), as_of: int = 60
) -> list[tuple[int, int | None]]:
    return signal("inactive", customer(*lines, study=study, pauses=pauses), as_of=as_of)


def test_more_than_fourteen_days_without_study() -> None:
    assert idle(line(0, self_paced=True)) == [(15, None)]
    assert idle(line(0, self_paced=True), as_of=14) == []
    assert idle(line(0, self_paced=True), study=[14]) == [(29, None)]
    assert idle(line(0, self_paced=True), study=[15]) == [(30, None)]
    assert idle(line(0, self_paced=True), study=[16]) == [(15, 16), (31, None)]
    assert idle(line(0)) == []


def test_nobody_is_inactive_before_teaching_begins() -> None:
    assert idle(line(0, self_paced=True, starts=30)) == [(45, None)]
    assert idle(line(0, self_paced=True, starts=30), study=[20]) == [(45, None)]
    assert idle(line(0, self_paced=True, starts=30), study=[35]) == [(50, None)]
    assert idle(line(0, self_paced=True, starts=-20)) == [(15, None)]
    assert idle(line(0, self_paced=True, starts=0), line(1, self_paced=True, starts=50)) == [(15, None)]


def test_each_line_is_judged_by_its_own_start() -> None:
    assert idle(line(0, 20, self_paced=True, starts=0), line(1, self_paced=True, starts=30)) == [
        (15, 21),
        (45, None),
    ]


def test_a_line_granted_late_in_the_run_but_begun_long_before() -> None:
    assert idle(line(0), line(40, self_paced=True, starts=0)) == [(40, None)]
    assert idle(line(0), line(40, self_paced=True, starts=40)) == [(55, None)]


def test_study_before_the_run_and_lines_in_grace_do_not_count() -> None:
    assert idle(line(0, self_paced=True), study=[-1]) == [(15, None)]
    assert idle(line(0, 20, self_paced=True)) == [(15, 21)]
    assert idle(line(0, 14, self_paced=True)) == []
    assert idle(line(0), line(5, 50, gift=True, self_paced=True, starts=5)) == [(20, 51)]


def test_a_pause_stops_the_count() -> None:
    assert idle(line(0, self_paced=True), pauses=(Pause(at(5), at(9)),)) == [(20, None)]
    assert idle(line(0, self_paced=True), pauses=(Pause(at(17), at(19)),)) == [(15, 17), (20, None)]
    assert idle(line(0, self_paced=True), pauses=(Pause(at(5)),)) == []
    assert idle(line(0, self_paced=True), pauses=(Pause(at(0), at(0)),)) == [(15, None)]
    assert idle(line(0, self_paced=True), pauses=(Pause(at(5), at(9)), Pause(at(8), at(10)))) == [(21, None)]
    assert idle(line(0, self_paced=True), pauses=(Pause(at(9), at(8)),)) == [(15, None)]


def test_a_pause_closes_no_voice_and_no_grace() -> None:
    history = customer(
        line(0, 9),
        complaints=(Complaint(at(3), at(6)),),
        refund_requests=(RefundRequest(at(3), at(6)),),
        nps=(Response(instant(3), 0),),
        pauses=(Pause(at(0)),),
    )
    assert signal("complaint", history) == signal("refund_request", history) == [(3, 6)]
    assert signal("detractor", history) == [(3, 33)]
    assert signal("lapsing", history) == [(10, 40)]


# -- the danger layer ------------------------------------------------------------------------------


def test_danger_while_any_signal_is_open() -> None:
    history = customer(
        line(0), complaints=(Complaint(at(5), at(8)), Complaint(at(7), at(9)), Complaint(at(9), at(10)))
    )
    assert danger(history) == [(5, "danger", "signal_opened"), (10, "clear", "signals_cleared")]
    result = lifecycle(history, at(20))
    assert [(s.stage_code, s.base_stage, s.valid_from - MONDAY) for s in result.spans] == [
        ("onboarding", "onboarding", 0),
        ("danger", "onboarding", 5),
        ("onboarding", "onboarding", 10),
    ]
    assert result.spans[-1].valid_to is None


def test_the_run_ends_danger_even_where_the_signal_ends_that_day() -> None:
    history = customer(line(0, 9, withdrew=5), complaints=(Complaint(at(3), at(5)),))
    assert danger(history) == [(3, "danger", "signal_opened"), (5, "clear", "run_ended")]
    history = customer(line(0, 9, withdrew=6), complaints=(Complaint(at(3), at(5)),))
    assert danger(history) == [(3, "danger", "signal_opened"), (5, "clear", "signals_cleared")]


def test_both_layers_may_change_on_one_day() -> None:
    history = customer(line(0, 0), line(40, 60), complaints=(Complaint(at(35)),))
    result = lifecycle(history, at(50))
    on_day = [(t.layer, t.reason_code) for t in result.transitions if t.transition_on == at(40)]
    assert on_day == [("base", "won_back"), ("danger", "signal_opened")]


def test_a_change_of_base_in_danger_parts_the_spans_but_not_the_danger() -> None:
    history = customer(line(0), line(10), complaints=(Complaint(at(5)),))
    result = lifecycle(history, at(20))
    assert [(s.stage_code, s.base_stage) for s in result.spans] == [
        ("onboarding", "onboarding"),
        ("danger", "onboarding"),
        ("danger", "growth"),
    ]
    assert danger(history, as_of=20) == [(5, "danger", "signal_opened")]


# -- rules -----------------------------------------------------------------------------------------


def test_a_campus_row_goes_before_a_row_for_all_and_that_before_the_default() -> None:
    rules = Institution(
        rules=(
            ("north", "grace_days", Decimal(5)),
            (None, "grace_days", Decimal(7)),
            ("south", "inactive_days", Decimal(1)),
        )
    )
    assert rules.rules_of("north") == {**DEFAULT_RULES, "grace_days": 5}
    assert rules.rules_of("south") == {**DEFAULT_RULES, "grace_days": 7, "inactive_days": 1}
    assert rules.rules_of(None) == {**DEFAULT_RULES, "grace_days": 7}


def test_every_rule_of_the_page_moves_somebody() -> None:
    """Random histories stand so close to every number that one more or less of it moves somebody."""
    people = [replace(h, campus_id=None) for h in bulk(3, 1500)]
    holidays = bulk_institution(3).closed_days
    by_default: dict[str, Lifecycle] = {}

    def is_moved(history: History, house: Institution) -> bool:
        if history.customer_id not in by_default:
            by_default[history.customer_id] = lifecycle(history, AS_OF, Institution(holidays))
        return lifecycle(history, AS_OF, house) != by_default[history.customer_id]

    for rule, value in DEFAULT_RULES.items():
        step = Decimal("0.05") if value < 1 else Decimal(1)
        for other in (value - step, value + step):
            changed = Institution(holidays, ((None, rule, other),))
            assert any(is_moved(h, changed) for h in people), (rule, other)


# -- what must hold for every history --------------------------------------------------------------

EVERYBODY = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

ALLOWED = {
    ("", "prospect"): {"first_contact"},
    ("", "onboarding"): {"first_purchase"},
    ("prospect", "onboarding"): {"first_purchase"},
    ("onboarding", "growth"): {"repeat_purchase", "first_course_completed", "continued_use"},
    ("onboarding", "mature"): {"maturity_reached"},
    ("growth", "mature"): {"maturity_reached"},
    ("onboarding", "terminated"): {"lapsed", "withdrew", "refunded"},
    ("growth", "terminated"): {"lapsed", "withdrew", "refunded"},
    ("mature", "terminated"): {"lapsed", "withdrew", "refunded"},
    ("terminated", "dormant"): {"dormancy"},
    ("terminated", "growth"): {"won_back"},
    ("dormant", "growth"): {"won_back"},
    ("clear", "danger"): {"signal_opened"},
    ("danger", "clear"): {"signals_cleared", "run_ended"},
}


def check_whole(result: Lifecycle, as_of: Day) -> None:
    """Every day once, in the order allowed, told the same by spans, transitions and signals."""
    if not result.spans:
        assert result == Lifecycle((), (), ())
        return
    assert all(before.valid_to == after.valid_from for before, after in pairwise(result.spans))
    assert all(s.valid_to is None or s.valid_to > s.valid_from for s in result.spans)
    assert result.spans[-1].valid_to is None
    assert result.spans[-1].valid_from <= as_of

    open_on = {code: set() for code in SIGNALS}  # type: dict[str, set[Day]]
    for s in result.signals:
        days = range(s.opened_on, as_of + 1 if s.closed_on is None else s.closed_on)
        assert days and not open_on[s.signal_code] & set(days)
        assert s.closed_on is None or s.closed_on <= as_of
        open_on[s.signal_code] |= set(days)
    in_danger = set().union(*open_on.values())
    in_run = set()
    stage, told = {}, {}
    for span in result.spans:
        for d in range(span.valid_from, as_of + 1 if span.valid_to is None else span.valid_to):
            assert d not in stage
            stage[d] = span.stage_code
            told[d] = span.base_stage
            if span.base_stage in ("onboarding", "growth", "mature"):
                in_run.add(d)
    assert {d for d, code in stage.items() if code == "danger"} == in_danger
    assert in_danger <= in_run
    assert all(stage[d] in ("danger", told[d]) for d in stage)

    layer = {"base": "", "danger": "clear"}
    on: dict[tuple[str, Day], str] = {}
    for t in result.transitions:
        assert t.reason_code in ALLOWED[t.from_code, t.to_code]
        assert t.from_code == layer[t.layer]
        assert (t.layer, t.transition_on) not in on
        layer[t.layer] = on[t.layer, t.transition_on] = t.to_code
    base_stage, is_on = "", "clear"
    for d in sorted(stage):
        base_stage = on.get(("base", d), base_stage)
        is_on = on.get(("danger", d), is_on)
        assert base_stage == told[d]
        assert (is_on == "danger") == (d in in_danger)


@EVERYBODY
@given(histories(), institutions())
def test_every_day_has_one_stage_and_every_change_a_reason(history: History, house: Institution) -> None:
    check_whole(lifecycle(history, AS_OF, house), AS_OF)


@EVERYBODY
@given(histories(), institutions(), st.integers(0, 400))
def test_time_travel(history: History, house: Institution, back: int) -> None:
    earlier = AS_OF - back
    then = lifecycle(known(history, earlier), earlier, house)
    assert then == lifecycle(history, earlier, house)
    assert then == clip(lifecycle(history, AS_OF, house), earlier)


@EVERYBODY
@given(histories(), institutions(), st.randoms(use_true_random=False))
def test_the_order_of_facts_does_not_matter(history: History, house: Institution, rng: random.Random) -> None:
    assert lifecycle(shuffled(history, rng), AS_OF, house) == lifecycle(history, AS_OF, house)


@pytest.mark.parametrize("seed", [1, 2])
def test_many_histories_hold_together_on_many_days(seed: int) -> None:
    house = bulk_institution(seed)
    for history in bulk(seed, 100):
        result = lifecycle(history, AS_OF, house)
        check_whole(result, AS_OF)
        for back in (1, 7, 30, 31, 61, 181, 400):
            assert lifecycle(known(history, AS_OF - back), AS_OF - back, house) == clip(result, AS_OF - back)


def test_every_day_of_a_life_is_told_as_it_was() -> None:
    house = bulk_institution(4)
    for history in bulk(4, 3):
        result = lifecycle(history, AS_OF, house)
        for back in range(760):
            assert lifecycle(history, AS_OF - back, house) == clip(result, AS_OF - back)


def test_random_histories_hold_every_change_and_every_signal() -> None:
    results = [r for seed in (2, 3) for r in lifecycles(bulk(seed, 900), AS_OF, bulk_institution(seed))]
    changes = {(t.from_code, t.to_code, t.reason_code) for r in results for t in r.transitions}
    assert changes == {(a, b, reason) for (a, b), reasons in ALLOWED.items() for reason in reasons}
    assert {s.signal_code for r in results for s in r.signals} == set(SIGNALS)
    assert any(not r.spans for r in results)


# -- files -----------------------------------------------------------------------------------------


def test_histories_come_back_from_their_files(tmp_path: Path) -> None:
    people, house = bulk(5, 60), bulk_institution(5)
    write(tmp_path / "events", people, house)
    assert list(read_histories(tmp_path / "events")) == people
    assert read_institution(tmp_path / "events") == house


def test_the_three_files(tmp_path: Path) -> None:
    history = customer(line(0, 9), contacts=[-1])
    write(tmp_path / "events", [history])
    (tmp_path / "events" / "nps.csv").unlink()
    spans(tmp_path / "events", date.fromisoformat(iso(at(45))), tmp_path / "out")
    assert (tmp_path / "out" / "spans.csv").read_text() == (
        "customer_id,stage_code,base_stage,run_no,valid_from,valid_to\n"
        "C1,prospect,prospect,0,2025-01-05,2025-01-06\n"
        "C1,onboarding,onboarding,1,2025-01-06,2025-01-16\n"
        "C1,danger,growth,1,2025-01-16,2025-02-15\n"
        "C1,terminated,terminated,1,2025-02-15,\n"
    )
    assert (tmp_path / "out" / "transitions.csv").read_text() == (
        "customer_id,transition_on,layer,from_code,to_code,reason_code\n"
        "C1,2025-01-05,base,,prospect,first_contact\n"
        "C1,2025-01-06,base,prospect,onboarding,first_purchase\n"
        "C1,2025-01-16,base,onboarding,growth,first_course_completed\n"
        "C1,2025-01-16,danger,clear,danger,signal_opened\n"
        "C1,2025-02-15,base,growth,terminated,lapsed\n"
        "C1,2025-02-15,danger,danger,clear,run_ended\n"
    )
    assert (tmp_path / "out" / "signals.csv").read_text() == (
        "customer_id,signal_code,opened_on,closed_on\nC1,lapsing,2025-01-16,2025-02-15\n"
    )


def test_an_instant_keeps_its_day_in_any_zone(tmp_path: Path) -> None:
    at_night = datetime(2025, 1, 6, 23, 30, tzinfo=INSTITUTION_TIMEZONE)
    for hours in (-11, 0, 9):
        told = at_night.astimezone(timezone(timedelta(hours=hours)))
        write(tmp_path / str(hours), [customer(nps=(Response(told, 9),))])
        (back,) = read_histories(tmp_path / str(hours))
        assert base(back)[0][0] == 0
