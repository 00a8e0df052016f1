"""The files in ``dags/``: one DAG each, thin, read without side effects, with the agreed manners."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lifecourse.orchestration.cli import DAGS

PULLS = ("pull_signup", "pull_teaching", "pull_payments", "pull_bills")


def test_every_file_loads(dag_bag: Any) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == set(DAGS)


def test_a_file_holds_one_dag_of_its_name(parsed: dict[str, dict[str, Any]]) -> None:
    assert {name: facts["dags"] for name, facts in parsed.items()} == {name: [name] for name in DAGS}


def test_reading_a_file_touches_nothing_else(parsed: dict[str, dict[str, Any]]) -> None:
    """No database, no settings, no file, no process: the dag-processor reads these files all day."""
    assert {name: facts["touched"] for name, facts in parsed.items()} == {name: [] for name in DAGS}


def test_reading_a_file_does_not_import_the_library(
    parsed: dict[str, dict[str, Any]],
) -> None:
    assert {name: facts["ours"] for name, facts in parsed.items()} == {name: [] for name in DAGS}


@pytest.mark.parametrize("name", DAGS)
def test_doc_says_what_to_do_when_red(dag_bag: Any, name: str) -> None:
    doc = dag_bag.dags[name].doc_md
    assert doc.startswith(f"# {name}\n")
    assert "## When it is red" in doc
    assert len(doc.split("## When it is red")[1].split()) > 40


@pytest.mark.parametrize("name", DAGS)
def test_manners(dag_bag: Any, name: str) -> None:
    dag = dag_bag.dags[name]
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert dag.tags
    for task in dag.tasks:
        assert task.owner == "data"
        assert task.execution_timeout is not None
        assert task.retries >= 1
        assert task.retry_exponential_backoff > 1
        assert task.retry_delay >= timedelta(minutes=1)
        assert task.max_retry_delay == timedelta(minutes=15)
        assert [callback.__name__ for callback in task.on_failure_callback] == ["alert"]
        assert not task.on_retry_callback


@pytest.mark.parametrize("name", DAGS)
def test_a_task_calls_one_function_of_the_library(name: str, dag_files: list[Path]) -> None:
    """The body of a task is one import and one call; what is done stands in `lifecourse.orchestration.steps`."""
    from lifecourse.orchestration import steps

    tree = ast.parse(next(file for file in dag_files if file.stem == name).read_text(encoding="utf-8"))
    builder = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    tasks = [node for node in builder.body if isinstance(node, ast.FunctionDef)]
    assert tasks
    for task in tasks:
        imported, called = task.body
        assert ast.unparse(imported) == "from lifecourse.orchestration import steps"
        assert isinstance(called, ast.Return) and isinstance(called.value, ast.Call)
        function = called.value.func
        assert isinstance(function, ast.Attribute) and ast.unparse(function.value) == "steps"
        assert callable(getattr(steps, function.attr))


@pytest.mark.parametrize("name", DAGS)
def test_a_file_is_read_in_a_minute(name: str, dag_files: list[Path]) -> None:
    file = next(file for file in dag_files if file.stem == name)
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 150


def test_order_of_tasks(dag_bag: Any) -> None:
    def chain(name: str) -> list[str]:
        return [task.task_id for task in dag_bag.dags[name].topological_sort()]

    for name in PULLS:
        assert chain(name) == ["pull", "check_and_merge", "deliver"]
    assert chain("build_marts") == ["begin", "transform", "audit", "publish"]
    assert chain("train_models") == ["fit"]
    assert chain("honour_erasure_requests") == ["retain", "honour"]
    assert chain("watch_freshness") == ["check"]


def test_build_waits_for_the_three_kinds_and_not_for_bills(dag_bag: Any) -> None:
    wanted = {asset.name for asset in dag_bag.dags["build_marts"].timetable.asset_condition.objects}
    given = {name: [o.name for t in dag_bag.dags[name].tasks for o in t.outlets] for name in PULLS}
    assert wanted == {"signup_delivered", "teaching_delivered", "payments_delivered"}
    assert given == {
        "pull_signup": ["signup_delivered"],
        "pull_teaching": ["teaching_delivered"],
        "pull_payments": ["payments_delivered"],
        "pull_bills": [],
    }


def test_the_asset_comes_last(dag_bag: Any) -> None:
    """An asset that were there before the day is recorded in `meta` would wake a build that then refuses."""
    for name in PULLS[:3]:
        assert [task.task_id for task in dag_bag.dags[name].tasks if task.outlets] == ["deliver"]
