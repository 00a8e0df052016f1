"""A university's files through loader, build, audit and publication: `marts` gives the totals of the files.

By default with the project's sample; `LIFECOURSE_TEST_OULAD_DIR` names a folder with the whole data set (10.7 million
rows, a quarter of an hour), whose totals must also be those that its authors published.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lifecourse import building
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.settings import PROJECT, settings
from lifecourse.sources.spec import load_system
from lifecourse.warehouse.connection import Role, Warehouse

pytestmark = pytest.mark.slow

WHOLE = os.environ.get("LIFECOURSE_TEST_OULAD_DIR")
FILES = Path(WHOLE) if WHOLE else PROJECT / "data" / "oulad_sample"
LAST_DAY = date(2015, 12, 31)
#: Kuzilek, Hlosta, Zdrahal: Open University Learning Analytics dataset. Sci Data 4:170171 (2017), and its web page.
REGISTRATIONS = {
    "AAA": 748, "BBB": 7_909, "CCC": 4_434, "DDD": 6_272, "EEE": 2_934, "FFF": 7_762, "GGG": 2_534,
}  # fmt: skip
RESULTS = {"pass": 12_361, "withdrawn": 10_156, "fail": 7_052, "distinction": 3_024}
STUDENTS, ROWS_OF_CLICKS, CLICKS = 28_785, 10_655_280, 39_605_099


@pytest.fixture(scope="module")
def marts(module_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    """A reader's session after the night of the files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFECOURSE_OULAD_DIR", str(FILES))
        patch.setenv("LIFECOURSE_SOURCES_DIR", str(PROJECT / "sources" / "oulad"))
        patch.setenv("LIFECOURSE_TIMEZONE", "Europe/London")
        settings.cache_clear()
        spec = load_system(PROJECT / "sources" / "oulad" / "oulad.yml")
        assert pull_system(spec, LAST_DAY, module_warehouse).errors == {}
        assert merge_system(spec, LAST_DAY, module_warehouse).refused == {}
        deliver(spec, LAST_DAY, module_warehouse)
        assert building.build(LAST_DAY, into=module_warehouse).status == "published"
        with module_warehouse.connect(Role.BI_READER, autocommit=True) as connection:
            yield connection
    settings.cache_clear()


def _one(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return tuple(row)


def test_registrations_by_module(marts: psycopg.Connection[Any]) -> None:
    expected = Counter(pq.read_table(FILES / "studentRegistration.parquet")["code_module"].to_pylist())
    found = dict(marts.execute("select course_id, count(*) from marts.fct_enrolment group by 1").fetchall())
    assert found == expected
    if WHOLE:
        assert found == REGISTRATIONS


def test_results_by_module(marts: psycopg.Connection[Any]) -> None:
    info = pq.read_table(FILES / "studentInfo.parquet", columns=["code_module", "final_result"]).to_pylist()
    expected = Counter((row["code_module"], row["final_result"].lower()) for row in info)
    found = {
        (course, result): count
        for course, result, count in marts.execute(
            "select course_id, result, count(*) from marts.fct_enrolment group by 1, 2"
        )
    }
    assert found == expected
    if WHOLE:
        assert Counter(row["final_result"].lower() for row in info) == RESULTS


def test_clicks_and_their_rows_duplicates_kept(marts: psycopg.Connection[Any]) -> None:
    clicks = pq.read_table(FILES / "studentVle.parquet", columns=["sum_click"])
    expected = (clicks.num_rows, pc.sum(clicks["sum_click"]).as_py())
    assert (
        _one(marts, "select sum(session_count), sum(activity_count) from marts.fct_learning_day") == expected
    )
    if WHOLE:
        assert expected == (ROWS_OF_CLICKS, CLICKS)


def test_every_student_has_a_place_on_every_day(marts: psycopg.Connection[Any]) -> None:
    students = len(set(pq.read_table(FILES / "studentInfo.parquet")["id_student"].to_pylist()))
    assert _one(marts, "select count(*) from marts.dim_customer") == (students,)
    assert _one(marts, "select count(*), count(distinct customer_id) from marts.stage_on('2015-12-31')") == (
        students,
        students,
    )
    if WHOLE:
        assert students == STUDENTS
