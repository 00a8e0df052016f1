"""The marks in docs/segments.md and the figures that `scripts/figures` writes there."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.handbook import figures


def test_every_mark_has_its_figure_and_a_table_with_its_headings() -> None:
    page = figures.PAGE.read_text(encoding="utf-8")
    found = dict(re.findall(r"<!-- figures: (\w+) -->\n(.*?)<!-- end -->", page, re.DOTALL))
    assert sorted(found) == sorted(figures.FIGURES)
    for name, (headings, _) in figures.FIGURES.items():
        lines = found[name].splitlines()
        assert lines[0] == f"| {' | '.join(headings)} |", name
        assert len(lines) > 2, f"{name}: no rows"


def test_numbers_stand_to_the_right_and_nothing_for_none() -> None:
    table = figures._table(
        ("name", "money", "share"), [("a", Decimal(1234), None), ("b", None, Decimal("0.5"))]
    )
    assert table.splitlines() == [
        "| name | money | share |",
        "|---|--:|--:|",
        "| a | 1,234 |  |",
        "| b |  | 0.5 |",
    ]


def test_a_mark_without_a_figure_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("<!-- figures: nobody -->\n<!-- end -->\n", encoding="utf-8")
    monkeypatch.setattr(figures, "PAGE", page)
    monkeypatch.setattr(figures, "PROJECT", tmp_path)
    with pytest.raises(LifecourseError, match="nobody"):
        figures.write()
