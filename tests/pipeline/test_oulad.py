"""The OULAD sample through the real loader: the canonical tables say what the files say.

The histories that `tests.reference.oulad_histories` makes of the same files are an independent reading of the
mapping in docs/sources.md; rows must agree one by one.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lifecourse import contract
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.settings import settings
from lifecourse.sources.spec import load_system
from lifecourse.warehouse.connection import Role, Warehouse
from tests.reference import oulad_histories

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "data" / "oulad_sample"
DERIVED = (
    "campuses", "courses", "classes", "learners", "enrolments", "homework", "assessments", "learning_sessions",
)  # fmt: skip
LAST_DAY = date(2015, 12, 31)


@pytest.fixture(scope="module")
def loaded(module_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """The warehouse with the sample merged, on a session in an institution's zone far from Greenwich."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFECOURSE_OULAD_DIR", str(SAMPLE))
        patch.setenv("LIFECOURSE_TIMEZONE", "Asia/Shanghai")
        settings.cache_clear()
        spec = load_system(PROJECT / "sources" / "oulad" / "oulad.yml")
        report = pull_system(spec, LAST_DAY, module_warehouse)
        assert report.errors == {}
        merged = merge_system(spec, LAST_DAY, module_warehouse)
        assert merged.refused == {}
        deliver(spec, LAST_DAY, module_warehouse)
        with module_warehouse.connect(Role.LOADER, autocommit=True) as connection:
            yield connection
    settings.cache_clear()


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, ...]]]:
    folder = tmp_path_factory.mktemp("histories")
    oulad_histories.convert(SAMPLE, folder)
    found = {}
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = [tuple(row) for row in list(csv.reader(file))[1:]]
    return found


def rows(connection: psycopg.Connection[Any], query: str) -> list[tuple[str, ...]]:
    return sorted(
        tuple("" if value is None else str(value) for value in row) for row in connection.execute(query)
    )


@pytest.mark.parametrize("table", DERIVED)
def test_keys_are_keys_and_what_is_required_is_there(loaded: psycopg.Connection[Any], table: str) -> None:
    spec = contract.table(table)
    key = ", ".join(spec.key)
    required = [name for name, column in spec.columns.items() if column.required]
    count, keys, *complete = (
        loaded.execute(
            f"select count(*), count(distinct ({key})), {', '.join(f'count({name})' for name in required)}"
            f" from canonical.{table}"
        ).fetchone()
        or ()
    )
    assert count > 0
    assert keys == count
    assert complete == [count] * len(required)


def test_lines_agree_with_the_reference(
    loaded: psycopg.Connection[Any], histories: dict[str, list[Any]]
) -> None:
    expected = sorted((row[0], row[1], row[5], row[6], row[7], row[10]) for row in histories["lines"])
    assert expected == rows(
        loaded,
        "select learner_id || '-' || class_id, learner_id, enrolled_on, starts_on, ends_on, withdrawn_on"
        " from canonical.enrolments",
    )


def test_homework_agrees_with_the_reference(
    loaded: psycopg.Connection[Any], histories: dict[str, list[Any]]
) -> None:
    assert sorted(histories["homework"]) == rows(
        loaded, "select learner_id, due_on, submitted_at::date from canonical.homework"
    )


def test_study_days_agree_with_the_reference(
    loaded: psycopg.Connection[Any], histories: dict[str, list[Any]]
) -> None:
    assert sorted(histories["study"]) == rows(
        loaded, "select distinct learner_id, started_at::date from canonical.learning_sessions"
    )


def test_every_submission_is_an_assessment(
    loaded: psycopg.Connection[Any], histories: dict[str, list[Any]]
) -> None:
    found = Counter(rows(loaded, "select learner_id, taken_on from canonical.assessments"))
    submitted = pq.read_table(SAMPLE / "studentAssessment.parquet")
    assert found.total() == submitted.num_rows
    handed_in = [(student, on) for student, _, on in histories["homework"] if on]
    assert not Counter([*handed_in, *histories["contacts"]]) - found


def test_equal_rows_of_clicks_are_kept(loaded: psycopg.Connection[Any]) -> None:
    clicks = pq.read_table(SAMPLE / "studentVle.parquet")
    assert loaded.execute(
        "select count(*), sum(activity_count) from canonical.learning_sessions"
    ).fetchone() == (
        clicks.num_rows,
        pc.sum(clicks["sum_click"]).as_py(),
    )
    assert clicks.group_by(clicks.column_names).aggregate([]).num_rows < clicks.num_rows


def test_results_are_those_of_the_files(loaded: psycopg.Connection[Any]) -> None:
    info = pq.read_table(SAMPLE / "studentInfo.parquet")
    expected = Counter(
        (row["code_module"], row["final_result"].lower())
        for row in info.select(["code_module", "final_result"]).to_pylist()
    )
    assert Counter(rows(loaded, "select course_id, result from canonical.enrolments")) == expected


def test_the_traps_are_told_apart(loaded: psycopg.Connection[Any]) -> None:
    counted = dict(
        loaded.execute(
            """
            select case
                when result = 'withdrawn' and withdrawn_on is null then 'withdrawn without a day'
                when result <> 'withdrawn' and withdrawn_on is not null then 'left, and has a result'
                when withdrawn_on < starts_on then 'left before the first day'
                when enrolled_on > starts_on then 'registered late'
            end, count(*)
            from canonical.enrolments group by 1
            """
        ).fetchall()
    )
    assert set(counted) == {
        None, "withdrawn without a day", "left, and has a result", "left before the first day", "registered late",
    }  # fmt: skip
    assert loaded.execute(
        "select count(*) from canonical.enrolments where status = 'completed' and withdrawn_on is not null"
    ).fetchone() == (0,)


def test_the_readme_of_the_sample_is_true(loaded: psycopg.Connection[Any]) -> None:
    text = (SAMPLE / "README.md").read_text(encoding="utf-8")
    for path in SAMPLE.glob("*.parquet"):
        assert f"| {path.stem} | {pq.read_metadata(path).num_rows:,} |" in text
    clicks, learners = (
        loaded.execute(query).fetchone()
        for query in (
            "select sum(activity_count) from canonical.learning_sessions",
            "select count(*) from canonical.learners",
        )
    )
    assert clicks and learners
    assert f"| clicks | {clicks[0]:,} |" in text
    assert f"\n{learners[0]:,} students" in text


def test_the_same_files_again_change_nothing(
    loaded: psycopg.Connection[Any], module_warehouse: Warehouse
) -> None:
    spec = load_system(PROJECT / "sources" / "oulad" / "oulad.yml")
    again = pull_system(spec, LAST_DAY, module_warehouse)
    assert sum(again.rows.values()) == 0
    assert merge_system(spec, LAST_DAY, module_warehouse).refused == {}
