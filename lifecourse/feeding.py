"""Facts given as CSV to the production models: reading, checking, a database of its own, and writing what came out.

Shared by `lifecourse spans` (lifecourse/histories.py) and `lifecourse books` (lifecourse/books.py). Days are ISO
dates, instants ISO with offset, booleans true / false, nothing for none; a file that is missing is empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import typer
from psycopg import sql

from lifecourse.building.dbt import NodeOutcome
from lifecourse.errors import LifecourseError, sanitised
from lifecourse.warehouse.connection import Role, Warehouse

DATABASE = "lifecourse_histories"
#: Calls at the same time each take a number, and so a database, of their own.
MOST_AT_ONCE = 16
LOCK_FIRST_NUMBER = 7150

Connection = psycopg.Connection[tuple[Any, ...]]


class HistoryError(LifecourseError):
    """A file of histories or books does not hold what it should: which, in which line, and what to write."""


# -- what a file holds -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A kind of value: how Arrow reads it, how Postgres keeps it, and what a person should write."""

    arrow: pa.DataType
    postgres: str
    expected: str
    #: Whether a text is such a value; raises ValueError if not.
    read: Callable[[str], Any]


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError
    return date.fromisoformat(text)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError
    return instant


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not number.is_finite() or number < 0:
        raise ValueError
    return number


def _amount(text: str) -> Decimal:
    amount = _number(text)
    if amount != amount.quantize(Decimal("0.01")):
        raise ValueError
    return amount


TRUE, FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


def _boolean(text: str) -> bool:
    if text not in TRUE + FALSE:
        raise ValueError
    return text in TRUE


def _score(text: str) -> int:
    score = int(text)
    if not 0 <= score <= 10:
        raise ValueError
    return score


TEXT = Kind(pa.string(), "text", "a text", str)
DAY = Kind(pa.date32(), "date", "a day such as 2026-03-01", _day)
INSTANT = Kind(
    pa.timestamp("us", "UTC"),
    "timestamptz",
    "an instant with its offset, such as 2026-03-01T19:30:00+08:00",
    _instant,
)
NUMBER = Kind(
    pa.decimal128(18, 4),
    "numeric",
    "a number, not negative, of at most four decimals",
    _number,
)
BOOLEAN = Kind(pa.bool_(), "boolean", "true or false", _boolean)
AMOUNT = Kind(
    pa.decimal128(18, 2),
    "numeric(18,2)",
    "an amount, not negative, of at most two decimals",
    _amount,
)
SCORE = Kind(pa.int32(), "integer", "a whole number from 0 to 10", _score)


@dataclass(frozen=True)
class Column:
    """A column of a file."""

    name: str
    kind: Kind = TEXT
    required: bool = False
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        return " or ".join(self.choices) if self.choices else self.kind.expected

    def holds(self, text: str) -> bool:
        """Whether the text of a cell is well-formed for the column."""
        if text == "":
            return not self.required
        try:
            self.kind.read(text)
        except ValueError:
            return False
        return not self.choices or text in self.choices

    def all_hold(self, values: pa.Array) -> bool:
        """The same of a whole column that Arrow has read already."""
        if self.required and values.null_count:
            return False
        if self.choices and not _all(pc.is_in(values, pa.array((*self.choices, None), self.kind.arrow))):
            return False
        if self.kind in (NUMBER, AMOUNT):
            return _all(pc.greater_equal(values, pa.scalar(Decimal(0), values.type)))
        if self.kind is SCORE:
            return _all(pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 10)))
        return True


def _all(flags: pa.Array) -> bool:
    return pc.all(flags, min_count=0).as_py() is not False


def as_of_day(text: str) -> date:
    try:
        return _day(text)
    except ValueError:
        raise typer.BadParameter("write a day such as 2026-03-01") from None


def must_succeed(outcomes: Sequence[NodeOutcome]) -> None:
    failed = [each for each in outcomes if not each.is_good]
    if failed:
        first = next((each for each in failed if each.status == "error"), failed[0])
        raise LifecourseError(
            f"{first.status}: {first.message}",
            first.name,
            "this is a fault of the model",
        )


def write_csv(connection: Connection, query: str, path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("wb") as file, connection.cursor() as cursor:
        cursor.execute("set datestyle to iso")
        with cursor.copy(f"copy ({query}) to stdout (format csv, header)") as copy:
            for block in copy:
                file.write(block)
        rows = cursor.rowcount
    new.replace(path)
    return rows


# -- a database of its own ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scratch(Warehouse):
    """The scratch database: everything in it is done by the administrator who made it."""

    def login(self, role: Role) -> str:
        return self.admin_login

    def password(self, role: Role) -> str:
        return super().password(Role.ADMIN)


@contextmanager
def scratch(server: Warehouse) -> Iterator[Warehouse]:
    """An empty database on the server for as long as the block runs.

    Names are used again, so that the project need not be parsed for every call; a lock keeps two calls apart, and
    what a killed one left behind is dropped by the next.
    """
    with server.connect_maintenance() as keeper:
        number = _free_number(keeper)
        target = _Scratch(**{**server.__dict__, "database": f"{DATABASE}_{number}", "suffix": ""})
        name = sql.Identifier(target.name_of())
        try:
            keeper.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            keeper.execute(sql.SQL("create database {}").format(name))
            for setting, value in (
                ("synchronous_commit", "off"),
                ("jit", "off"),
                ("work_mem", "128MB"),
            ):
                keeper.execute(
                    sql.SQL("alter database {} set {} to {}").format(
                        name, sql.Identifier(setting), sql.Literal(value)
                    )
                )
        except psycopg.Error as error:
            raise LifecourseError(
                f"no database for the files: {sanitised(error)}",
                f"{server.host}:{server.port}",
                "use the URL of a role that may create databases",
            ) from None
        try:
            yield target
        finally:
            keeper.execute(sql.SQL("drop database if exists {} with (force)").format(name))


def _free_number(keeper: Connection) -> int:
    for number in range(1, MOST_AT_ONCE + 1):
        row = keeper.execute("select pg_try_advisory_lock(%s)", (LOCK_FIRST_NUMBER + number,)).fetchone()
        if row and row[0]:
            return number
    raise LifecourseError(
        f"{MOST_AT_ONCE} calls are running on this server already",
        "lifecourse spans, lifecourse books",
        "wait until one has ended",
    )


# -- reading ------------------------------------------------------------------------------------------


def check_folder(events: Path, names: Iterable[str], of: str, first: str) -> None:
    """Raise HistoryError unless the folder is there and holds one of the files, and no other CSV."""
    if not events.is_dir():
        raise HistoryError(
            "there is no such folder",
            str(events),
            f"give the folder that holds {first}.csv",
        )
    found = {path.stem for path in events.glob("*.csv")}
    for name in sorted(found - set(names)):
        raise HistoryError(
            f"no file of {of} has this name",
            f"{name}.csv",
            f"names are {', '.join(names)}",
        )
    if not found:
        raise HistoryError(
            "the folder holds no CSV file",
            str(events),
            f"put {', '.join(names)} (.csv) there",
        )


def copy_file(connection: Connection, name: str, known: Sequence[Column], path: Path) -> None:
    """One file into its table. Arrow reads and checks; a person is told the line by a second, slower reading."""
    columns = _columns_in(known, path)
    if not columns:
        return
    names = ", ".join(column.name for column in columns)
    try:
        reader = pacsv.open_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=1 << 22),
            convert_options=pacsv.ConvertOptions(
                column_types={column.name: column.kind.arrow for column in columns},
                strings_can_be_null=True,
                null_values=[""],
                true_values=list(TRUE),
                false_values=list(FALSE),
                timestamp_parsers=[pacsv.ISO8601],
            ),
        )
        with connection.cursor().copy(f"copy {name} ({names}) from stdin (format csv)") as copy:
            for batch in reader:
                for column, values in zip(columns, batch.columns, strict=True):
                    if not column.all_hold(values):
                        raise pa.ArrowInvalid(column.name)
                text = io.BytesIO()
                pacsv.write_csv(batch, text, pacsv.WriteOptions(include_header=False))
                copy.write(text.getbuffer())
    except (pa.ArrowInvalid, UnicodeDecodeError, psycopg.DataError):
        raise _first_fault(path, columns) from None


def _columns_in(columns: Sequence[Column], path: Path) -> list[Column]:
    """The columns that the file has, in its order. Raises HistoryError for an unknown or a missing one."""
    with text_of(path) as file:
        header = next(csv.reader(file), [])
    known = {column.name: column for column in columns}
    where = f"{path.name} line 1"
    for title in header:
        if title not in known:
            raise HistoryError(f"unknown column {title}", where, f"columns are {', '.join(known)}")
        if header.count(title) > 1:
            raise HistoryError(f"column {title} comes twice", where, "leave one out")
    for column in known.values():
        if header and column.required and column.name not in header:
            raise HistoryError(
                f"there is no column {column.name}",
                where,
                f"add it: {column.expected} in every row",
            )
    return [known[title] for title in header]


@contextmanager
def text_of(path: Path) -> Iterator[io.TextIOWrapper]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise HistoryError("the file is not UTF-8", path.name, "save it as CSV in UTF-8") from None


def _first_fault(path: Path, columns: Sequence[Column]) -> HistoryError:
    """The first line that does not hold what it should, and what to write there."""
    with text_of(path) as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            where = f"{path.name} line {reader.line_num}"
            if not cells:
                continue
            if len(cells) != len(columns):
                return HistoryError(
                    f"{len(cells)} values, but the header has {len(columns)}",
                    where,
                    "write one value per column, quoted where it holds a comma",
                )
            for column, text in zip(columns, cells, strict=True):
                if "\n" in text:
                    return HistoryError(f"a line break in column {column.name}", where, "take it out")
                if text == "" and column.required:
                    return HistoryError(
                        f"column {column.name} is empty",
                        where,
                        f"write {column.expected}",
                    )
                if not column.holds(text):
                    return HistoryError(
                        f"column {column.name} holds something else",
                        where,
                        f"write {column.expected}",
                    )
    return HistoryError(
        "the file cannot be read as CSV",
        path.name,
        "save it as CSV in UTF-8, comma-separated",
    )


def one(connection: Connection, query: str) -> tuple[Any, ...] | None:
    return connection.execute(query).fetchone()


def at_value(
    events: Path, name: str, values: dict[str, str], what: str, do: str, nth: int = 1
) -> HistoryError:
    """An error at the nth row that holds the values."""
    path = events / f"{name}.csv"
    with text_of(path) as file:
        reader = csv.DictReader(file)
        for row in reader:
            if all(row[key] == value for key, value in values.items()):
                nth -= 1
                if not nth:
                    return HistoryError(what, f"{path.name} line {reader.line_num}", do)
    return HistoryError(what, path.name, do)
