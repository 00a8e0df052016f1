"""Bars of days: what every cell stands for, and that nothing short is lost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from lifecourse.lifecycle.bars import Axis, Stretch

FIRST = date(2024, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def test_one_cell_per_day() -> None:
    axis = Axis(FIRST, day(9), 10)
    bar = axis.bar([Stretch(day(0), day(3), "p"), Stretch(day(3), day(4), "o"), Stretch(day(4), None, "g")])
    assert bar == "pppogggggg"


def test_a_cell_shows_what_most_of_its_days_hold() -> None:
    axis = Axis(FIRST, day(29), 10)
    bar = axis.bar([Stretch(day(0), day(14), "p"), Stretch(day(14), None, "g")])
    assert bar == "ppppp" + "ggggg", "two of the three days 12 to 14 are p"


def test_a_single_day_of_years_is_seen() -> None:
    axis = Axis(FIRST, day(1999), 40)
    bar = axis.bar(
        [Stretch(day(0), day(700), "g"), Stretch(day(700), day(701), "!"), Stretch(day(701), None, "g")]
    )
    assert bar.count("!") == 1
    assert bar.index("!") == axis.cell(day(700))
    assert len(bar) == 40


def test_a_stretch_outside_the_days_is_not_drawn() -> None:
    assert Axis(FIRST, day(9), 10).bar([Stretch(day(20), day(30), "!")], ".") == "." * 10


@pytest.mark.parametrize(
    ("days", "width", "cells"), [(1, 60, 8), (10, 60, 60), (60, 60, 60), (61, 60, 60), (4000, 60, 60)]
)
def test_the_cells_fit_the_width(days: int, width: int, cells: int) -> None:
    axis = Axis.over(FIRST, day(days - 1), width)
    assert axis.cells == cells
    seen = {each for cell in range(axis.cells) for each in axis.days_of(cell)}
    assert seen == {day(n) for n in range(days)}, "every day is in a cell"
    assert axis.cell(FIRST) == 0
    assert len(axis.ticks()) == axis.cells


def test_months_are_marked_and_years_named_where_there_is_room() -> None:
    assert Axis(date(2023, 11, 28), date(2024, 2, 4), 69).ticks().rstrip() == (
        "   |" + " " * 30 + "|2024" + " " * 26 + "|"
    )
    years = Axis(date(2022, 12, 1), date(2024, 11, 29), 40).ticks()
    assert years.split() == ["|2023", "|2024"]
    assert "|" not in Axis(date(2024, 3, 2), date(2024, 3, 20), 19).ticks()
