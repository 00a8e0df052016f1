"""The guardian's page: what it shows, what it keeps to itself, and that it loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.lifecycle.names import Language
from lifecourse.reports.page import page
from lifecourse.reports.reading import (
    Goal,
    Homework,
    InClass,
    Learner,
    Lesson,
    Report,
    Topic,
    Week,
    monday_of,
)
from lifecourse.reports.words import Words

MONDAY = date(2026, 2, 2)
WEEK = Week(
    "C1", MONDAY, scheduled_seats=3, attended_seats=1, absent_seats=1, leave_seats=1, made_up_seats=0,
    attended_hours=Decimal("1.50"), homework_due=2, homework_on_time=1, homework_late=1, homework_missing=0,
    study_days=2, study_minutes=None, attendance_rate=Decimal("0.5"), homework_on_time_rate=Decimal("0.5"),
    attended_hours_change=Decimal("-1.50"), homework_on_time_rate_change=Decimal("0.25"), study_days_change=0,
)  # fmt: skip
IN_CLASS = InClass(
    "C1",
    "Piano",
    Decimal("0.5"),
    Decimal("0.5"),
    Decimal(70),
    5,
    Decimal("0.8125"),
    Decimal("0.9"),
    Decimal(81),
)


def report(**changed: object) -> Report:
    made = Report(
        Learner("C1", "East", "G3"),
        MONDAY,
        date(2026, 2, 10),
        week=WEEK,
        earlier=[WEEK],
        classes=[IN_CLASS],
        lessons=[
            Lesson("C1", date(2026, 2, 3), "Piano", "absent", None, date(2026, 2, 9)),
            Lesson("C1", date(2026, 2, 5), "Piano", "made_up", date(2026, 1, 29), None),
        ],
        homework=[Homework("C1", date(2026, 2, 4), "scales", "late", 1, Decimal("62.50"))],
        topics=[Topic("C1", "scales", Decimal("0.6249"), Decimal("0.7"), True)],
        goals=[Goal("C1", "piano", None, Decimal(80), None, date(2026, 6, 1), "open")],
    )
    return replace(made, **changed)  # type: ignore[arg-type]


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and data.strip():
            self.found.append(data.strip())


def text(made: Report, language: Language = Language.EN) -> str:
    parser = _Text()
    parser.feed(page(made, Words(language)))
    assert parser.open == [], "every element is closed"
    return " | ".join(parser.found)


def test_the_week_is_told_in_words_and_figures() -> None:
    told = text(report())
    for expected in (
        "2026-W06", "Learner C1 · Grade G3 · Campus East", "1.5 | −1.5 on last week", "1 of 2 | on leave 1",
        "1 of 2 on time | +25% on last week", "2 | as last week", "absent, made up on 02-09",
        "made up, makes up for 01-29", "due 02-04 scales | 1 day late, score 62.5", "50% | 81%", "70 | 81",
        "62% ↓ to practise", "piano 80, by 2026-06-01 | under way", "Data as of 2026-02-10",
    ):  # fmt: skip
        assert expected in told, (expected, told)


def test_it_is_told_in_chinese() -> None:
    told = text(report(), Language.ZH)
    for expected in ("每周学习报告", "较上周 −1.5", "已于 02-09 补课", "迟交 1 天", "需加强"):
        assert expected in told
    assert not re.search(r"attend|homework|week\b", told)


def test_a_class_of_three_is_not_shown() -> None:
    told = text(report(classes=[replace(IN_CLASS, learners=3)]))
    assert "81%" not in told
    assert "fewer than four" in told


def test_nothing_is_loaded_and_nothing_can_run() -> None:
    made = page(report(), Words(Language.EN))
    assert not re.search(
        r"(src=|href|url|@import|http:|https:|<script|<link|<img|<iframe)", made, re.IGNORECASE
    )
    assert "default-src 'none'" in made


def test_text_of_the_institution_stays_text() -> None:
    evil = "<script>alert('1')</script>&\""
    made = page(
        report(
            learner=Learner("C1", evil, evil),
            classes=[replace(IN_CLASS, course_name=evil)],
            lessons=[Lesson("C1", MONDAY, evil, "attended", None, None)],
            homework=[Homework("C1", MONDAY, evil, "missing", None, None)],
            topics=[Topic("C1", evil, Decimal(1), None, False)],
            goals=[Goal("C1", evil, Decimal(50), Decimal(80), Decimal(85), None, "reached")],
        ),
        Words(Language.EN),
    )
    assert "<script" not in made
    assert made.count("&lt;script&gt;") == 7


def test_a_week_without_anything_and_one_that_is_not_over() -> None:
    told = text(report(week=None, earlier=[], classes=[], lessons=[], homework=[], topics=[], goals=[]))
    assert "Nothing is recorded" in told
    assert "not over yet" in text(report(as_of=date(2026, 2, 5)))


@pytest.mark.parametrize("week", ["2026-10", "2026-W60", "2026-W5", "W10-2026", ""])
def test_a_week_that_is_none_is_refused(week: str) -> None:
    with pytest.raises(LifecourseError, match="no ISO week"):
        monday_of(week)


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    assert monday_of("2026-W01") == date(2025, 12, 29)
