"""A Moodle-like MariaDB or MySQL as a source.

Runs against a private server, or the one in ``LIFECOURSE_TEST_MYSQL_URL`` (see `tests.mariadb`); skipped where there
is none, but for what needs no server.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.sources.base import Unit, Window
from lifecourse.sources.mysql import MySQLReader
from lifecourse.sources.registry import open_reader
from lifecourse.sources.spec import SystemSpec

OpenReader = Callable[[], MySQLReader]
DATABASE = f"lifecourse_test_{os.getpid()}"
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)  # noon in Shanghai

TABLE: dict[str, Any] = {
    "name": "grades",
    "from": "mdl_grade_grades",
    "key": ["grade_id"],
    "change_time": "changed_at",
    "columns": {
        "grade_id": {"from": "id"},
        "grade": {"from": "finalgrade", "type": "numeric"},
        "big": {"type": "bigint"},
        "is_hidden": {"from": "hidden", "type": "boolean"},
        "who": {"from": "concat(lastname, firstname)", "personal": "name"},
        "born_on": {"from": "born", "type": "date"},
        "local_at": {"type": "timestamptz", "cast": "local_time"},
        "utc_at": {"type": "timestamptz"},
        "completed_at": {"from": "timecompleted", "type": "timestamptz", "cast": "unix_seconds"},
        "changed_at": {"from": "timemodified", "type": "timestamptz", "cast": "unix_seconds"},
    },
}


def spec_of(url: str, **changed: Any) -> SystemSpec:
    return SystemSpec.model_validate(
        {
            "system": "moodle",
            "serves": "teaching",
            "kind": "sql",
            "dialect": "mysql",
            "url": url,
            "timezone": "Asia/Shanghai",
            "tables": [TABLE | changed],
        }
    )


@pytest.fixture(scope="module")
def server(mysql_url: str) -> Iterator[pymysql.Connection[Any]]:
    url = urlsplit(mysql_url)
    connection: pymysql.Connection[Any] = pymysql.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(f"create database {DATABASE} character set utf8mb4")
        cursor.execute(f"use {DATABASE}")
        cursor.execute("set time_zone = '+08:00'")
        try:
            yield connection
        finally:
            cursor.execute(f"drop database {DATABASE}")


@pytest.fixture
def rows(server: pymysql.Connection[Any]) -> Iterator[Any]:
    """An empty grades table; call it to add a row."""
    with server.cursor() as cursor:
        cursor.execute("drop table if exists mdl_grade_grades")
        cursor.execute(
            """
            create table mdl_grade_grades (
                id bigint primary key, finalgrade decimal(30, 9), big bigint, hidden tinyint(1),
                lastname varchar(100), firstname varchar(100), born date, local_at datetime(6),
                utc_at timestamp(6) null, timecompleted bigint, timemodified bigint
            )
            """
        )

        def add(number: int, **values: Any) -> None:
            values = {"id": number, "timemodified": int(NOON.timestamp())} | values
            names = ", ".join(values)
            cursor.execute(
                f"insert into mdl_grade_grades ({names}) values ({', '.join(['%s'] * len(values))})",
                list(values.values()),
            )

        yield add


@pytest.fixture
def reader(mysql_url: str) -> OpenReader:
    """Opens a reader of the database."""

    def opened() -> MySQLReader:
        found = open_reader(spec_of(f"{mysql_url}/{DATABASE}"))
        assert isinstance(found, MySQLReader)
        return found

    return opened


def read(
    reader: MySQLReader, after: datetime | None = None, until: datetime | None = None
) -> list[dict[str, Any]]:
    window = Window(after, until or NOON + timedelta(days=1))
    return [row for batch in reader.read(reader.spec.tables[0], Unit(), window) for row in batch.to_pylist()]


class TestMySQL:
    def test_values_are_exact_and_instants_in_utc(self, rows: Any, reader: OpenReader) -> None:
        rows(
            1, finalgrade="123456789012345678901.123456789", big=9007199254740993, hidden=1, lastname="欧阳",
            firstname="娜娜🎓", born="2015-02-28", local_at="2026-03-01 12:00:00.5", utc_at="2026-03-01 12:00:00.25",
            timecompleted=int(NOON.timestamp()),
        )  # fmt: skip
        rows(2, timecompleted=0)
        rows(3, timecompleted=2**31 - 1)
        with reader() as opened:
            first, *others = read(opened)
        assert first == {
            "grade_id": "1",
            "grade": Decimal("123456789012345678901.123456789"),
            "big": 9007199254740993,
            "is_hidden": True,
            "who": "欧阳娜娜🎓",
            "born_on": date(2015, 2, 28),
            "local_at": NOON + timedelta(microseconds=500_000),
            "utc_at": NOON + timedelta(microseconds=250_000),
            "completed_at": NOON,
            "changed_at": NOON,
            "_cast_error": None,
        }
        assert [(row["completed_at"], row["utc_at"], row["_cast_error"]) for row in others] == [
            (None,) * 3
        ] * 2

    def test_the_window_is_open_at_its_start_and_closed_at_its_end(
        self, rows: Any, reader: OpenReader
    ) -> None:
        for number in range(5):
            rows(number, timemodified=int(NOON.timestamp()) + number)
        rows(9, timemodified=0)
        rows(10, timemodified=None)
        with reader() as opened:
            found = read(
                opened, NOON + timedelta(seconds=1), NOON + timedelta(seconds=3, microseconds=999_999)
            )
        # A row that cannot tell when it changed comes every time.
        assert sorted(row["grade_id"] for row in found) == ["10", "2", "3", "9"]

    def test_every_table_is_read_as_it_was_when_the_reader_opened(
        self, rows: Any, reader: OpenReader
    ) -> None:
        rows(1)
        with reader() as opened:
            rows(2)
            assert [row["grade_id"] for row in read(opened)] == ["1"]
        with reader() as opened:
            assert [row["grade_id"] for row in read(opened)] == ["1", "2"]

    def test_rows_are_streamed_in_batches(
        self, rows: Any, monkeypatch: pytest.MonkeyPatch, reader: OpenReader
    ) -> None:
        monkeypatch.setattr("lifecourse.sources.mysql.BATCH_ROWS", 2)
        for number in range(5):
            rows(number)
        with reader() as opened:
            window = Window(None, NOON)
            batches = list(opened.read(opened.spec.tables[0], Unit(), window))
            assert [batch.num_rows for batch in batches] == [2, 2, 1]
            # A reader that was left half-way can read on.
            next(opened.read(opened.spec.tables[0], Unit(), window)).to_pylist()
            assert len(read(opened)) == 5

    def test_columns_and_clock(self, rows: Any, reader: OpenReader) -> None:
        with reader() as opened:
            columns = {column.name: column.type for column in opened.columns(opened.spec.tables[0])}
            assert opened.clock().tzinfo is UTC
        assert columns["finalgrade"] == "decimal(30,9)"

    def test_it_cannot_write(self, rows: Any, reader: OpenReader) -> None:
        with reader() as opened, opened.connection.cursor() as cursor, pytest.raises(pymysql.MySQLError):
            cursor.execute("delete from mdl_grade_grades")

    @pytest.mark.parametrize(
        ("column", "spec", "message"),
        [
            ("local_at", {"type": "timestamptz"}, "local_at is a DATETIME"),
            ("utc_at", {"type": "timestamptz", "cast": "local_time"}, "utc_at is a TIMESTAMP"),
            ("gone", {"type": "text"}, "Unknown column 'gone'"),
        ],
    )
    def test_what_the_yaml_has_wrong_is_named(
        self, rows: Any, column: str, spec: dict[str, str], message: str, mysql_url: str
    ) -> None:
        rows(1)
        system = spec_of(f"{mysql_url}/{DATABASE}", columns=TABLE["columns"] | {column: spec})
        with MySQLReader(system) as opened, pytest.raises(LifecourseError, match=message):
            read(opened)

    def test_a_missing_table_is_named(self, rows: Any, mysql_url: str) -> None:
        system = spec_of(f"{mysql_url}/{DATABASE}", **{"from": "mdl_gone"})
        with MySQLReader(system) as opened, pytest.raises(LifecourseError, match="mdl_gone is missing"):
            opened.columns(opened.spec.tables[0])

    def test_a_wrong_password_is_told_and_not_shown(self, mysql_url: str) -> None:
        port = urlsplit(mysql_url).port or 3306
        system = spec_of(f"mysql://nobody:s3cret-word@127.0.0.1:{port}/{DATABASE}")
        with (
            pytest.raises(LifecourseError, match="cannot connect: OperationalError") as caught,
            MySQLReader(system),
        ):
            pass
        assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("url", ["postgresql://u:s3cret-word@h/d", "mysql://u:s3cret-word@h", "mysql:///d"])
def test_a_url_of_another_kind_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(LifecourseError, match="no MySQL URL") as caught, MySQLReader(spec_of(url)):
        pass
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(LifecourseError, match="cannot connect"),
        MySQLReader(spec_of("mysql://u:p@127.0.0.1:1/d")),
    ):
        pass
