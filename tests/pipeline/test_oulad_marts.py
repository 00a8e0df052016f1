"""A university's files through loader, build, audit and publication: `marts` gives the totals of the files.

By default with the project's sample; `LIFECOURSE_TEST_OULAD_DIR` names a folder with the whole data set (10.7 million
rows, a quarter of an hour), whose totals must also be those that its authors published.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lifecourse import building
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.risk import oulad, samples
from lifecourse.risk.fitting import compiled_features, fit
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


def _starts_on(presentation: str) -> date:
    return date(int(presentation[:4]), 2 if presentation.endswith("B") else 10, 1)


def _homework() -> Iterator[tuple[str, str]]:
    """Module and fate of every piece of homework, from the files alone."""

    def rows(name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(FILES / f"{name}.parquet").to_pylist()
        return found

    tasks: dict[tuple[str, str], list[tuple[Any, int]]] = {}
    for task in rows("assessments"):
        if task["assessment_type"] in ("TMA", "CMA") and task["date"] is not None:
            of = (task["code_module"], task["code_presentation"])
            tasks.setdefault(of, []).append((task["id_assessment"], int(task["date"])))
    results = {(row["id_assessment"], row["id_student"]): row for row in rows("studentAssessment")}
    length = {
        (row["code_module"], row["code_presentation"]): row["module_presentation_length"]
        for row in rows("courses")
    }
    for line in rows("studentRegistration"):
        of = (line["code_module"], line["code_presentation"])
        first, gone = line["date_registration"] or 0, line["date_unregistration"]
        last = min(length[of] - 1, length[of] if gone is None else int(gone) - 1)
        for task_id, due in tasks.get(of, []):
            result = results.get((task_id, line["id_student"]))
            if not first <= due <= last or (result is not None and bool(int(result["is_banked"]))):
                continue
            if result is None or result["date_submitted"] is None:
                yield of[0], "missing"
            else:
                yield of[0], "on_time" if int(result["date_submitted"]) <= due else "late"


def test_homework_by_module(marts: psycopg.Connection[Any]) -> None:
    found = {
        (course, status): count
        for course, status, count in marts.execute(
            "select course_id, submission_status, count(*) from marts.fct_homework group by 1, 2"
        )
    }
    assert found == Counter(_homework())
    assert {status for _, status in found} == {"on_time", "late", "missing"}


def test_learning_days_by_module(marts: psycopg.Connection[Any]) -> None:
    """Days of students who took one module only: a day with clicks in two modules is one day."""
    modules: dict[Any, set[str]] = {}
    info = pq.read_table(FILES / "studentInfo.parquet", columns=["id_student", "code_module"])
    for row in info.to_pylist():
        modules.setdefault(row["id_student"], set()).add(row["code_module"])
    clicks = pq.read_table(FILES / "studentVle.parquet", columns=["id_student", "code_presentation", "date"])
    days = clicks.group_by(["id_student", "code_presentation", "date"]).aggregate([]).to_pylist()
    on_days = {
        (row["id_student"], _starts_on(row["code_presentation"]) + timedelta(days=int(row["date"])))
        for row in days
    }
    of_one = {student: next(iter(taken)) for student, taken in modules.items() if len(taken) == 1}
    expected = Counter(of_one[student] for student, _ in on_days if student in of_one)
    found = dict(
        marts.execute(
            """
            select taken.course_id, count(*)
            from marts.fct_learning_day as days
            inner join (
                select customer_id, min(course_id) as course_id
                from marts.fct_enrolment
                group by customer_id
                having count(distinct course_id) = 1
            ) as taken on taken.customer_id = days.customer_id
            group by taken.course_id
            """
        ).fetchall()
    )
    assert found == expected
    assert _one(marts, "select count(*) from marts.fct_learning_day") == (len(on_days),)


def test_learning_weeks_hold_all_days_and_homework(marts: psycopg.Connection[Any]) -> None:
    weeks = _one(
        marts, "select sum(study_days), sum(homework_due), sum(homework_late) from marts.fct_learning_week"
    )
    days = _one(marts, "select count(*) from marts.fct_learning_day where is_study_day")
    homework = _one(
        marts, "select count(*), count(*) filter (where submission_status = 'late') from marts.fct_homework"
    )
    assert weeks == (*days, *homework)


def test_every_student_has_a_place_on_every_day(marts: psycopg.Connection[Any]) -> None:
    students = len(set(pq.read_table(FILES / "studentInfo.parquet")["id_student"].to_pylist()))
    assert _one(marts, "select count(*) from marts.dim_customer") == (students,)
    assert _one(marts, "select count(*), count(distinct customer_id) from marts.stage_on('2015-12-31')") == (
        students,
        students,
    )
    if WHOLE:
        assert students == STUDENTS


def test_the_rule_of_the_model_card_is_the_danger_of_the_lifecycle(marts: psycopg.Connection[Any]) -> None:
    """The card reads danger from the files; for students of one registration it is that of fct_risk_signal."""
    files = oulad.Files.read(FILES, oulad.last_day_of(max(oulad.WEEKS)))
    only = files.registrations[~files.registrations.id_student.duplicated(keep=False)].id_student
    found = set()
    for week in oulad.WEEKS:
        rows = oulad.rows(files, week)
        rows = rows[rows.id_student.isin(only)]
        day = [_starts_on(code) + timedelta(days=7 * week - 1) for code in rows.code_presentation]
        ids = rows.code_module + "-" + rows.code_presentation + "-" + rows.id_student.astype(str)
        found |= set(zip(ids, day, rows.danger, strict=True))
    assert {danger for _, _, danger in found} == {True, False}
    enrolments, days, _ = (list(each) for each in zip(*found, strict=True))
    expected = set(
        marts.execute(
            """
            select asked.enrolment_id, asked.day_on, exists (
                select 1 from marts.fct_risk_signal as signals
                where signals.customer_id = enrolments.customer_id and signals.opened_on <= asked.day_on
                    and (signals.closed_on is null or signals.closed_on > asked.day_on)
            )
            from unnest(%s::text[], %s::date[]) as asked (enrolment_id, day_on)
            join marts.fct_enrolment as enrolments using (enrolment_id)
            """,
            (enrolments, days),
        )
    )
    assert found == expected


def test_risk_by_enrolments_alone(marts: psycopg.Connection[Any], module_warehouse: Warehouse) -> None:
    """Without payments an enrolment is the line and the purchase, and what is learnt says so; at the end all have left."""
    assert set(
        marts.execute("select target, scorer, reason_code, scored_count from marts.mart_risk_model")
    ) == {(target, "rule", "not_fitted", 0) for target in ("churn", "renewal", "pass")}
    fits = {each.target: each.proof for each in fit(module_warehouse)}
    assert set(fits) == {"churn", "renewal", "pass"}
    assert fits["churn"].measures["fitted_cases"] > 20
    assert fits["churn"].rule_rate_on > fits["churn"].rule_rate_off
    day = date(2014, 12, 31)
    build_id = _one(marts, "select build_id from marts.publication order by published_at desc limit 1")[0]
    with module_warehouse.connect(Role.TRANSFORMER) as connection:
        compiled = compiled_features(module_warehouse, build_id, [day])
        customers = samples.features(connection, compiled, "customer_features")
    there = marts.execute(
        """
        select customer_id from marts.fct_lifecycle_span
        where phase_code = 'existing' and valid_from <= %(day)s and (valid_to is null or valid_to > %(day)s)
        """,
        {"day": day},
    ).fetchall()
    assert set(customers.customer_id) == {row[0] for row in there} and len(there) > 50
    assert customers.due_on.notna().all() and (customers.hours_left == 0).all()
    assert (customers.purchases >= 1).all()
