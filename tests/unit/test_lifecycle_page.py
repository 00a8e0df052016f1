"""docs/lifecycle.md and docs/facts.md show what their sources hold."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.handbook import cookbook
from lifecourse.handbook.picture import SEEDS


@pytest.mark.parametrize("book", cookbook.BOOKS, ids=lambda book: book.name)
def test_the_page_shows_the_questions_and_answers_of_the_book(book: cookbook.Book) -> None:
    assert book.page.read_text(encoding="utf-8") == cookbook.page(book), "run scripts/cookbook"


def test_every_code_of_the_seeds_is_explained() -> None:
    explained = cookbook.LIFECYCLE.page.read_text(encoding="utf-8").partition(cookbook.BEGIN)[0]
    codes = set()
    for name, column in (
        ("lifecycle_stage", "stage_code"),
        ("lifecycle_reason", "reason_code"),
        ("risk_signal", "signal_code"),
        ("churn_reason", "churn_reason_class"),
    ):
        with (SEEDS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            codes |= {row[column] for row in csv.DictReader(file)}
    assert not {code for code in codes if f"`{code}`" not in explained}


def test_a_question_without_its_head_is_refused(tmp_path: Path) -> None:
    (tmp_path / "01_x.sql").write_text("-- Question: How many?\nselect 1;\n")
    with pytest.raises(LifecourseError, match="Returns"):
        cookbook.questions(tmp_path)


def test_a_question_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "01_x.sql").write_text(
        "-- Question: How many?\n-- Returns: a\n--   number.\n-- Caveat: none.\n-- more\nselect 1;\n"
    )
    [question] = cookbook.questions(tmp_path)
    assert (question.number, question.returns, question.sql) == (1, "a number.", "select 1;")
