"""Every row rule on a real Postgres: which rows fail, under which rules, and what is never said of them."""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from great_expectations.expectations import ExpectColumnValuesToBeBetween, ExpectColumnValuesToBeInSet
from psycopg import sql

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.quality import rows, rules
from lifecourse.warehouse.connection import Role, Warehouse

CANARY = "canary-4711"
SYSTEM = "school"
TABLES = sorted(contract.tables())
KIND_OF = {name: table.system_kind for name, table in contract.tables().items()}
VALUES: dict[str, Any] = {
    "text": "x",
    "date": "2026-02-10",
    "timestamptz": "2026-02-10 12:00+08",
    "integer": 1,
    "bigint": 1,
    "boolean": True,
    "uuid": None,
}


@dataclass
class Landing:
    """A landed table to put rows into and to check."""

    connection: psycopg.Connection[Any]
    url: str
    table: str
    suite: str
    cases: dict[int, str] = field(default_factory=dict)

    def put(self, case: str, **values: Any) -> int:
        """Land a good row with some values replaced; its `_row`."""
        row = {**good_row(self.suite), **values}
        (number,) = self.connection.execute(
            sql.SQL("insert into landing.{} ({}) values ({}) returning _row").format(
                sql.Identifier(self.table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(sql.Placeholder() * len(row)),
            ),
            tuple(row.values()),
        ).fetchone()  # type: ignore[misc]
        self.cases[number] = case
        return int(number)

    def check(self, **context: Any) -> rows.CheckedBatch:
        return rows.check_landing(
            self.url, self.table, self.suite, {"system": SYSTEM, "tables": TABLES, **context}
        )

    def broken(self, **context: Any) -> dict[str, list[str]]:
        """Case -> the rules that its row breaks, for every row that breaks any."""
        found: dict[str, list[str]] = {}
        for failure in self.check(**context):
            numbers = self.connection.execute(failure.row_query.encode()).fetchall()
            assert len(numbers) == failure.failing_rows > 0
            for (number,) in numbers:
                found.setdefault(self.cases[number], []).append(failure.rule)
        return found


def good_row(table: str) -> dict[str, Any]:
    """A row that breaks no rule, but for parents that are not there."""
    row = {
        name: VALUES.get(column.postgres_type, 10) if column.required else None
        for name, column in contract.table(table).columns.items()
    }
    for each in rows.suite_of(table).expectations:
        if isinstance(each, ExpectColumnValuesToBeInSet) and row[each.column] is not None:
            row[each.column] = list(each.value_set or ())[0]  # type: ignore[arg-type]
        elif (
            isinstance(each, ExpectColumnValuesToBeBetween)
            and each.row_condition is None
            and isinstance(row[each.column], int)
            and each.max_value is not None
        ):
            row[each.column] = min(row[each.column], each.max_value)
    if row.get("currency"):
        row["currency"] = "CNY"
    return row


@pytest.fixture(scope="module")
def loader(module_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    with module_warehouse.connect(Role.LOADER, autocommit=True) as connection:
        for table in TABLES:
            create(connection, "raw", f"{SYSTEM}__{table}", table, "_load_id bigint, _deleted_at timestamptz")
        yield connection


@pytest.fixture
def land(loader: psycopg.Connection[Any], module_warehouse: Warehouse) -> Iterator[Any]:
    """Makes an empty landed table; raw is empty at the end of every test."""
    made: list[str] = []

    def make(table: str) -> Landing:
        name = f"b{len(made) + 1}"
        create(loader, "landing", name, table, "_row bigint generated always as identity, _cast_error text")
        made.append(name)
        return Landing(loader, module_warehouse.url(Role.LOADER), name, table)

    yield make
    for name in made:
        loader.execute(sql.SQL("drop table landing.{}").format(sql.Identifier(name)))
    for table in TABLES:
        loader.execute(sql.SQL("delete from raw.{}").format(sql.Identifier(f"{SYSTEM}__{table}")))


def create(connection: psycopg.Connection[Any], schema: str, name: str, table: str, more: str) -> None:
    columns = ", ".join(
        f'"{key}" {column.postgres_type}' for key, column in contract.table(table).columns.items()
    )
    connection.execute(f'create table {schema}."{name}" ({columns}, {more})'.encode())


def current(connection: psycopg.Connection[Any], table: str, **values: Any) -> None:
    """Put a row into `raw`."""
    row = {**good_row(table), **values}
    connection.execute(
        sql.SQL("insert into raw.{} ({}) values ({})").format(
            sql.Identifier(f"{SYSTEM}__{table}"),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        tuple(row.values()),
    )


def parents_of(connection: psycopg.Connection[Any], table: str) -> None:
    """Put into `raw` the row that every parent of a good row is."""
    for parent in rows.parents(table):
        current(connection, parent)


# Rules on a row by itself


BROKEN: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("campaigns", "ends first", {"starts_on": "2026-02-02", "ends_on": "2026-02-01"}, ["ends_before_start"]),
    ("campaigns", "negative budget", {"budget_amount": -1}, ["negative_amount"]),
    ("campaigns", "currency in small letters", {"currency": "cny"}, ["unknown_enum"]),
    ("experiments", "nobody is treated", {"treatment_share": 0}, ["share_out_of_range"]),
    ("experiments", "everybody is treated", {"treatment_share": 1}, ["share_out_of_range"]),
    ("leads", "unknown status", {"status": "ghost"}, ["unknown_enum"]),
    ("leads", "two at once", {"intent": "great", "campus_id": None}, ["required_missing", "unknown_enum"]),
    ("homework", "broken date", {"due_on": None, "_cast_error": "due_on"}, ["cast_failed"]),
    ("homework", "no date", {"due_on": None}, ["required_missing"]),
    (
        "homework", "broken date, no learner", {"due_on": None, "learner_id": None, "_cast_error": "due_on"},
        ["cast_failed", "required_missing"],
    ),
    ("homework", "score above 100", {"score": 100.5}, ["score_out_of_range"]),
    ("homework", "score below 0", {"score": -1}, ["score_out_of_range"]),
    ("lessons", "negative hours", {"hours": -0.5}, ["negative_hours"]),
    ("attendance", "two at once", {"hours": -1, "outcome": "ghost"}, ["unknown_enum", "negative_hours"]),
    ("assessments", "score above the best", {"score": 41, "max_score": 40}, ["score_out_of_range"]),
    ("surveys", "nps of 11", {"kind": "nps", "score": 11}, ["score_out_of_range"]),
    ("surveys", "csat of 0", {"kind": "csat", "score": 0}, ["score_out_of_range"]),
    ("learning_sessions", "negative clicks", {"activity_count": -1}, ["negative_count"]),
    ("complaints", "closed before opened", {"closed_at": "2026-02-09 12:00+08"}, ["ends_before_start"]),
    ("learner_traits", "words of somebody's own", {"code": "Cries when corrected"}, ["unknown_enum"]),
    ("learner_traits", "words in Chinese", {"code": "怕被批评"}, ["unknown_enum"]),
    ("learner_traits", "words in one", {"code": "a" * 41}, ["unknown_enum"]),
    ("learner_traits", "no such kind", {"kind": "illness"}, ["unknown_enum"]),
    ("learner_traits", "back before noted", {"withdrawn_at": "2026-02-09 12:00+08"}, ["ends_before_start"]),
    ("pauses", "ends before it begins", {"to_on": "2026-02-09"}, ["ends_before_start"]),
    ("order_lines", "negative gift hours", {"gift_hours": -2}, ["negative_hours"]),
    ("orders", "negative discount", {"discount_amount": -2}, ["negative_amount"]),
    ("instalments", "number 0", {"instalment_no": 0}, ["negative_count"]),
    ("settlement_bills", "payment below zero", {"row_kind": "payment", "amount": -5}, ["negative_amount"]),
    ("settlement_bills", "refund above zero", {"row_kind": "refund", "amount": 5}, ["negative_amount"]),
    ("settlement_bills", "unknown kind", {"row_kind": "gift", "amount": 5}, ["unknown_enum"]),
]  # fmt: skip
FINE: list[tuple[str, str, dict[str, Any]]] = [
    ("campaigns", "one day", {"starts_on": "2026-02-02", "ends_on": "2026-02-02"}),
    ("campaigns", "open-ended", {"starts_on": "2026-02-02", "ends_on": None}),
    ("homework", "nothing handed in", {"score": None}),
    ("homework", "scores 0 and 100", {"score": 0}),
    ("assessments", "scale not told", {"score": 400, "max_score": None}),
    ("learner_traits", "a code", {"code": "small_steps_2"}),
    ("surveys", "nps of 0", {"kind": "nps", "score": 0}),
    ("surveys", "csat of 5", {"kind": "csat", "score": 5}),
    ("channel_costs", "a credit", {"cost_amount": -5}),
    ("enrolments", "withdrawn before enrolled", {"withdrawn_on": "2026-01-01", "status": "withdrawn"}),
    ("settlement_bills", "refund below zero", {"row_kind": "refund", "amount": -5}),
]


@pytest.mark.parametrize("table", TABLES)
def test_rules_of_a_row_by_itself(table: str, land: Any, loader: psycopg.Connection[Any]) -> None:
    parents_of(loader, table)
    landing = land(table)
    landing.put("a good row")
    for _, case, values in (each for each in FINE if each[0] == table):
        landing.put(case, **values)
    wanted = {}
    for _, case, values, broken in (each for each in BROKEN if each[0] == table):
        landing.put(case, **values)
        wanted[case] = broken
    for name, column in contract.table(table).columns.items():
        if column.required and f"no {name}" not in wanted:
            landing.put(f"no {name}", **{name: None})
            wanted[f"no {name}"] = ["required_missing"]
    assert landing.broken() == wanted


@pytest.mark.parametrize("table", [table for table in TABLES if rows.parents(table)])
def test_a_row_without_its_parent_waits_for_it(
    table: str, land: Any, loader: psycopg.Connection[Any]
) -> None:
    landing = land(table)
    links = {
        column: each.parents[0]  # type: ignore[attr-defined]
        for each in rows.suite_of(table).expectations
        for rule, (column, *_) in [rows.rule_of(each)]
        if rule == "missing_parent"
    }
    landing.put("refers to nothing", **dict.fromkeys(links))
    for column in links:
        landing.put(f"{column} leads nowhere", **{**dict.fromkeys(links), column: "x"})
    broken = landing.broken()
    for column in links:
        assert "missing_parent" in broken[f"{column} leads nowhere"]
    # Besides, a row may lack another link that it is required to have.
    assert {rule for found in broken.values() for rule in found} <= {"missing_parent", "required_missing"}
    assert "missing_parent" not in broken.get("refers to nothing", [])
    parents_of(loader, table)
    assert not any("missing_parent" in found for found in landing.broken().values())
    loader.execute(
        sql.SQL("update raw.{} set _deleted_at = now()").format(
            sql.Identifier(f"{SYSTEM}__{next(iter(links.values()))}")
        )
    )
    first = next(iter(links))
    assert "missing_parent" in landing.broken()[f"{first} leads nowhere"]


# Rules across tables


def test_a_lesson_before_the_enrolment_by_the_institutions_day(
    land: Any, loader: psycopg.Connection[Any]
) -> None:
    current(loader, "learners")
    current(loader, "enrolments", enrolment_id="e", enrolled_on="2026-02-10")
    # 00:30 in Shanghai on the 10th is still the 9th in UTC; 23:30 on the 9th is before.
    current(loader, "lessons", lesson_id="on the day", starts_at="2026-02-10 00:30+08")
    current(loader, "lessons", lesson_id="the evening before", starts_at="2026-02-09 23:30+08")
    landing = land("attendance")
    for lesson in ("on the day", "the evening before"):
        landing.put(lesson, lesson_id=lesson, enrolment_id="e")
    assert landing.broken(timezone="Asia/Shanghai") == {"the evening before": ["lesson_before_enrolment"]}
    assert set(landing.broken(timezone="UTC")) == {"on the day", "the evening before"}


def test_refunds_may_not_exceed_their_payment(land: Any, loader: psycopg.Connection[Any]) -> None:
    current(loader, "orders")
    for payment in ("whole", "shared", "mended"):
        current(loader, "payments", payment_id=payment, amount=100)
    current(loader, "refunds", refund_id="merged", payment_id="shared", amount=60, resolution="paid")
    current(loader, "refunds", refund_id="corrected", payment_id="mended", amount=90, resolution="paid")
    landing = land("refunds")

    def put(
        case: str, payment: str, amount: int, resolution: str | None = "paid", day: int = 10, **more: Any
    ) -> None:
        more = {"refund_id": case, **more}
        landing.put(
            case, payment_id=payment, amount=amount, resolution=resolution,
            requested_at=f"2026-02-{day} 12:00+08", **more,
        )  # fmt: skip

    put("all of it", "whole", 100)
    put("more than all, still open", "whole", 101, None)
    put("more than all, rejected", "whole", 101, "rejected")
    put("does not fit beside the merged one", "shared", 41, day=11)
    put("fits beside the merged one", "shared", 40, day=12)
    put("asked for last, no room is left", "shared", 1, day=13)
    put("open, and not counted", "shared", 90, None, day=14)
    put("replaces the version merged before", "mended", 100, refund_id="corrected")
    put("an older version of the same", "mended", 95, refund_id="corrected", updated_at="2026-02-01 12:00+08")
    assert landing.broken() == dict.fromkeys(
        [
            "more than all, still open",
            "more than all, rejected",
            "does not fit beside the merged one",
            "asked for last, no room is left",
        ],
        ["refund_exceeds_payment"],
    )


def test_refunds_are_in_the_currency_of_their_payment(land: Any, loader: psycopg.Connection[Any]) -> None:
    current(loader, "orders")
    current(loader, "payments", payment_id="in yuan", amount=100, currency="CNY")
    landing = land("refunds")
    for case, currency in (("in yuan too", "CNY"), ("in dollars", "USD")):
        landing.put(
            case, refund_id=case, payment_id="in yuan", amount=10, resolution="paid", currency=currency
        )
    assert landing.broken() == {"in dollars": ["refund_in_other_currency"]}


def test_a_parent_may_have_a_key_of_several_columns(
    module_warehouse: Warehouse, loader: psycopg.Connection[Any]
) -> None:
    loader.execute(
        """
        create table landing.b99 (
            _row bigint, _cast_error text, code_module text, code_presentation text, id_student text
        );
        insert into landing.b99 values
            (1, null, 'AAA', '2013J', '7'), (2, null, 'AAA', '2014J', '7'), (3, null, 'AAA', null, '7');
        create table raw.open__courses (code_module text, code_presentation text, _deleted_at timestamptz);
        insert into raw.open__courses values ('AAA', '2013J', null), ('AAA', '2014J', now());
        """
    )
    context = {"system": "open", "tables": ["courses"]}
    checked = rows.check_landing(
        module_warehouse.url(Role.LOADER), "b99", "oulad_student_registration", context
    )
    found = {
        (each.rule, each.columns): [row for (row,) in loader.execute(each.row_query.encode())]
        for each in checked
    }
    assert found == {
        ("required_missing", ("code_presentation",)): [3],
        ("missing_parent", ("code_module", "code_presentation")): [2],
    }


def test_rules_of_tables_that_are_not_connected_are_left_out(land: Any) -> None:
    landing = land("attendance")
    landing.put("an orphan")
    assert landing.broken(tables=["learners", "lessons"]) == {
        "an orphan": ["missing_parent", "missing_parent"]
    }
    assert landing.broken(tables=[]) == {}
    checked = landing.check(tables={})
    assert "missing_parent" not in {each.rule for each in checked.results}


def test_tables_may_be_given_by_their_names_in_raw(land: Any, loader: psycopg.Connection[Any]) -> None:
    loader.execute(f"alter table raw.{SYSTEM}__orders rename to elsewhere".encode())
    try:
        landing = land("instalments")
        landing.put("an orphan")
        assert landing.broken(tables={"orders": "raw.elsewhere"}) == {"an orphan": ["missing_parent"]}
        assert landing.broken(tables={"orders": "elsewhere"}) == {"an orphan": ["missing_parent"]}
    finally:
        loader.execute(f"alter table raw.elsewhere rename to {SYSTEM}__orders".encode())


# What comes back


def test_an_empty_batch_breaks_nothing_and_every_rule_is_recorded(land: Any) -> None:
    checked = land("lessons").check()
    assert checked == []
    assert len(checked.results) == len(rows.suite_of("lessons").expectations)
    assert all(each.success for each in checked.results)


def test_failures_come_in_the_order_of_the_runbook_and_name_their_columns(land: Any) -> None:
    landing = land("lessons")
    landing.put("everything", hours=-1, status="ghost", topic=None, _cast_error="topic")
    checked = landing.check()
    order = list(rules.RUNBOOK)
    assert [each.rule for each in checked] == sorted((each.rule for each in checked), key=order.index)
    assert ("unknown_enum", ("status",)) in {(each.rule, each.columns) for each in checked}


def test_results_are_recorded_once_per_batch(land: Any, loader: psycopg.Connection[Any]) -> None:
    (batch,) = loader.execute(
        """
        insert into meta.batch (system, source_table, business_day, window_to)
        values ('school', 'lessons', '2026-02-10', now()) returning batch_id
        """
    ).fetchone()  # type: ignore[misc]
    landing = land("lessons")
    landing.put("negative", hours=-1)
    checked = landing.check(tables=[])
    for _ in range(2):
        rows.record(loader, batch, checked.results)
    recorded = dict(
        loader.execute(
            "select rule, failing_rows from meta.check_result where batch_id = %s", (batch,)
        ).fetchall()
    )
    assert recorded["negative_hours(hours)"] == 1
    assert recorded["required_missing(lesson_id)"] == 0
    assert len(recorded) == len(checked.results)


def test_a_batch_that_is_gone_and_a_column_that_did_not_land_are_told(
    land: Any, loader: psycopg.Connection[Any]
) -> None:
    landing = land("lessons")
    with pytest.raises(LifecourseError, match="not there"):
        rows.check_landing(landing.url, "b404", "lessons", {"system": SYSTEM})
    landing.put("a row")
    loader.execute(f"alter table landing.{landing.table} drop column topic".encode())
    landing.check(tables=[])
    loader.execute(f"alter table landing.{landing.table} drop column starts_at".encode())
    with pytest.raises(LifecourseError, match="starts_at"):
        landing.check()


# What must never be said


def _said(error: BaseException | None) -> str:
    return "".join(traceback.format_exception(error)) if error else ""


def test_values_of_failing_rows_are_said_nowhere(
    land: Any, home: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    landing = land("touchpoints")
    landing.put("everything", touchpoint_id=None, channel=CANARY, direction=CANARY, lead_id=CANARY)
    with caplog.at_level(logging.DEBUG):
        checked = landing.check()
    assert {each.rule for each in checked} == {"required_missing", "unknown_enum", "missing_parent"}
    captured = capfd.readouterr()
    for said in (repr(checked), repr(checked.results), caplog.text, captured.out, captured.err):
        assert CANARY not in said
    for path in home.rglob("*"):
        if path.is_file() and "server" not in path.parts[len(home.parts)]:
            assert CANARY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("column", ["hours", "class_id"])
def test_a_rule_that_cannot_be_run_says_which_and_no_value(
    column: str,
    land: Any,
    loader: psycopg.Connection[Any],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    landing = land("lessons")
    if column == "hours":
        loader.execute(f"alter table landing.{landing.table} alter column hours type text".encode())
        landing.put("a row", hours=CANARY)
    else:
        landing.put("a row", class_id=CANARY)
        loader.execute(
            f"alter table raw.{SYSTEM}__classes alter column class_id type integer using null".encode()
        )
    try:
        with (
            caplog.at_level(logging.DEBUG),
            pytest.raises(LifecourseError, match="could not be run") as raised,
        ):
            landing.check()
    finally:
        if column == "class_id":
            loader.execute(f"alter table raw.{SYSTEM}__classes alter column class_id type text".encode())
    captured = capfd.readouterr()
    for said in (_said(raised.value), caplog.text, captured.out, captured.err):
        assert CANARY not in said


def test_a_warehouse_that_cannot_be_reached_is_told_without_its_password(module_warehouse: Warehouse) -> None:
    url = module_warehouse.url(Role.LOADER).replace(f":{module_warehouse.port}/", ":1/")
    with pytest.raises(LifecourseError) as raised:
        rows.check_landing(url, "b1", "lessons", {"system": SYSTEM})
    assert module_warehouse.password(Role.LOADER) not in _said(raised.value)


def test_no_analytics_are_sent() -> None:
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
