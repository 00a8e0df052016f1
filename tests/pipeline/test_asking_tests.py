"""Data tests asked without dbt: each is answered by its name and in the words of its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecourse.building import testing
from lifecourse.building.dbt import Dbt
from lifecourse.building.testing import Answer, Question
from lifecourse.warehouse.connection import Role, Warehouse

NO_ROW = "select 1 where false"
TWO_ROWS = "select 1 union all select 2\n-- two of them"


def ask(warehouse: Warehouse, *questions: Question, sessions: int = 2) -> tuple[dict[str, Answer], list[str]]:
    """The answers by test, and the tests in the order in which they were told of."""
    told: list[str] = []

    answers = testing.ask(
        questions,
        lambda: warehouse.connect(Role.TRANSFORMER, autocommit=True),
        sessions,
        lambda answer: told.append(answer.unique_id),
    )
    return {each.unique_id: each for each in answers}, told


@pytest.mark.parametrize(
    ("asked", "status", "failing"),
    [
        pytest.param(Question("t", "a", NO_ROW), "pass", 0, id="no row"),
        pytest.param(Question("t", "a", TWO_ROWS), "fail", 2, id="rows"),
        pytest.param(Question("t", "a", TWO_ROWS, is_error=False), "warn", 2, id="rows that are worth a warning"),
        pytest.param(Question("t", "a", TWO_ROWS, error_if="> 2"), "warn", 2, id="fewer rows than an error needs"),
        pytest.param(Question("t", "a", TWO_ROWS, error_if="> 2", warn_if="> 2"), "pass", 2, id="rows that are allowed"),
        pytest.param(Question("t", "a", "select 3 as n", fail_calc="max(n)"), "fail", 3, id="a count of its own"),
    ],
)  # fmt: skip
def test_how_a_test_ends(warehouse: Warehouse, asked: Question, status: str, failing: int) -> None:
    answers, _ = ask(warehouse, asked, Question("other", "a", NO_ROW))
    assert (answers["t"].status, answers["t"].failing_rows) == (status, failing)
    assert answers["other"].status == "pass"


def test_one_that_cannot_be_asked_is_named_and_says_no_value(warehouse: Warehouse) -> None:
    answers, told = ask(
        warehouse,
        Question("good", "a", NO_ROW),
        Question("broken", "a", "select cast('Li Na' as integer)"),
        Question("failing", "a", TWO_ROWS),
        Question("elsewhere", "b", NO_ROW),
    )
    assert {name: each.status for name, each in answers.items()} == {
        "good": "pass", "broken": "error", "failing": "fail", "elsewhere": "pass",
    }  # fmt: skip
    assert "22P02" in answers["broken"].message
    assert "Li Na" not in answers["broken"].message
    assert sorted(told) == sorted(answers), "the journal hears of every one"


def test_many_tests_on_few_sessions(warehouse: Warehouse) -> None:
    questions = [Question(f"t{n}", "a", TWO_ROWS if n % 50 == 30 else NO_ROW) for n in range(120)]
    answers, told = ask(warehouse, *questions, sessions=3)
    assert sorted(told) == sorted(answers) == sorted(each.unique_id for each in questions)
    assert {name for name, each in answers.items() if not each.is_good} == {"t30", "t80"}


@pytest.mark.slow
def test_kept_tests_are_those_that_dbt_compiles(warehouse: Warehouse, tmp_path: Path) -> None:
    variables = {
        "as_of": "2026-02-10", "build_id": "one", "build_kind": "incremental", "test_scope": "changed",
        "since_load_id": 3, "last_load_id": 8, "purchase_event": "order", "target_schema": "core",
        "canonical_schema": "canonical",
    }  # fmt: skip
    dbt = Dbt(warehouse, work_dir=tmp_path)
    tests = [node for node in dbt.manifest(variables).nodes.values() if node.resource_type == "test"]
    names = sorted(node.name for node in tests)
    dbt._compiled_tests(names, variables)
    # The night after, from what was kept.
    variables |= {"as_of": "2026-02-11", "build_id": "two", "since_load_id": 8, "last_load_id": 11}
    kept = Dbt(warehouse, work_dir=tmp_path)._compiled_tests(names, variables)
    assert any("2026-02-11" in body for body in kept.values())
    assert kept == Dbt(warehouse, work_dir=tmp_path)._compile(names, variables)
    # Another warehouse, which need not even be there to read them.
    elsewhere = Dbt(warehouse.with_suffix("_elsewhere"), work_dir=tmp_path)._compiled_tests(names, variables)
    assert elsewhere != kept
    assert not any(f'"{warehouse.name_of()}"' in body for body in elsewhere.values())
    assert sum('"lifecourse_elsewhere"."core"' in body for body in elsewhere.values()) > 100
