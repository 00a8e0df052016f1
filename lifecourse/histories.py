"""Histories given as CSV through the production lifecycle models: what `lifecourse spans` does.

The models run in a database of their own, made for the call and dropped after it, on the warehouse's server.
The files and their columns are those of the definition ("Feeding histories"): days as ISO dates, instants as
ISO with offset, booleans true / false, empty for none; a file that is missing is empty.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import typer
from psycopg import sql

from lifecourse.building.dbt import Dbt, NodeOutcome, risk_signal_codes
from lifecourse.errors import LifecourseError, sanitised
from lifecourse.lifecycle.rules import AT_LEAST_ONE, SHARES
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

DATABASE = "lifecourse_histories"
#: Calls at the same time each take a number, and so a database, of their own.
MOST_AT_ONCE = 16
LOCK_FIRST_NUMBER = 7150

SCHEMA = "histories"
Connection = psycopg.Connection[tuple[Any, ...]]


class HistoryError(LifecourseError):
    """A file of histories does not hold what it should: which, in which line, and what to write."""


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
        if self.kind is NUMBER:
            return _all(pc.greater_equal(values, pa.scalar(Decimal(0), values.type)))
        if self.kind is SCORE:
            return _all(pc.and_(pc.greater_equal(values, 0), pc.less_equal(values, 10)))
        return True


def _all(flags: pa.Array) -> bool:
    return pc.all(flags, min_count=0).as_py() is not False


CUSTOMER = Column("customer_id", required=True)

FILES: dict[str, tuple[Column, ...]] = {
    "customers": (CUSTOMER, Column("campus_id")),
    "contacts": (CUSTOMER, Column("day", DAY, required=True)),
    "lines": (
        Column("line_id", required=True),
        CUSTOMER,
        Column("order_id"),
        Column("is_gift", BOOLEAN),
        Column("kind", required=True, choices=("period", "package")),
        Column("granted_on", DAY, required=True),
        Column("starts_on", DAY),
        Column("ends_on", DAY),
        Column("lessons", NUMBER),
        Column("delivery", choices=("scheduled", "self_paced")),
        Column("cut_on", DAY),
        Column("cut_by", choices=("withdrew", "refunded")),
    ),
    "outcomes": (
        CUSTOMER,
        Column("line_id"),
        Column("lesson_at", INSTANT, required=True),
        Column("outcome", required=True, choices=("attended", "absent", "leave")),
        Column("hours", NUMBER),
    ),
    "study": (CUSTOMER, Column("day", DAY, required=True)),
    "homework": (CUSTOMER, Column("due_on", DAY), Column("submitted_on", DAY)),
    "complaints": (
        CUSTOMER,
        Column("opened_on", DAY, required=True),
        Column("closed_on", DAY),
    ),
    "nps": (
        CUSTOMER,
        Column("responded_at", INSTANT, required=True),
        Column("score", SCORE, required=True),
    ),
    "refund_requests": (
        CUSTOMER,
        Column("requested_on", DAY, required=True),
        Column("resolved_on", DAY),
    ),
    # Not among the files of the definition: what the signal below_expectation reads.
    "goals": (
        CUSTOMER,
        Column("subject"),
        Column("expected_score", NUMBER, required=True),
        Column("actual_score", NUMBER),
        Column("set_on", DAY, required=True),
        Column("due_on", DAY),
        Column("measured_on", DAY),
    ),
    "pauses": (CUSTOMER, Column("from_on", DAY, required=True), Column("to_on", DAY)),
    "closed_days": (Column("campus_id"), Column("day", DAY, required=True)),
    "rules": (
        Column("campus_id"),
        Column("rule", required=True),
        Column("value", NUMBER, required=True),
    ),
}
#: Files whose rows are about a customer.
ABOUT_CUSTOMERS = tuple(
    name for name, columns in FILES.items() if CUSTOMER in columns and name != "customers"
)

#: Days that count as a contact, by file: the file, and the column of the day or of the instant.
CONTACTS = (
    ("contacts", "day"),
    ("lines", "granted_on"),
    ("lines", "cut_on"),
    ("outcomes", "lesson_at"),
    ("study", "day"),
    ("homework", "submitted_on"),
    ("complaints", "opened_on"),
    ("nps", "responded_at"),
    ("refund_requests", "requested_on"),
    ("pauses", "from_on"),
    ("goals", "set_on"),
)
#: Files whose rows are kept with the number of their line, which names a fact as a cause.
NUMBERED = ("outcomes", "homework", "complaints", "nps", "refund_requests", "pauses", "goals")

#: The facts as the production build keeps them for the models, filled from the files.
VIEWS = {
    "changed_customer": "select customer_id, 'full build' as reason from customers",
    "int_lifecycle_customer": "select customer_id, campus_id from customers",
    "int_lifecycle_line": """
        select
            line_id, customer_id, cast(null as text) as campus_id, order_id, coalesce(is_gift, false) as is_gift, kind, granted_on, starts_on,
            ends_on, lessons, coalesce(delivery, 'scheduled') as delivery, cut_on, cut_by,
            case when cut_on is not null then 'lines' end as cut_cause_table,
            case when cut_on is not null then line_id end as cut_cause_id
        from lines
    """,
    "int_lifecycle_outcome": """
        select customer_id, line_id, cast(line_no as text) as outcome_id, lesson_at, outcome, hours from outcomes
    """,
    "int_lifecycle_study": """
        select customer_id, day as study_on, 'study' as cause_table, cast(day as text) as cause_id from study
    """,
    "int_lifecycle_homework": """
        select customer_id, cast(line_no as text) as homework_id, due_on, submitted_on from homework
    """,
    "int_lifecycle_complaint": """
        select customer_id, cast(line_no as text) as complaint_id, opened_on, closed_on from complaints
    """,
    "int_lifecycle_nps": """
        select customer_id, cast(line_no as text) as survey_id, responded_at, score from nps
    """,
    "int_lifecycle_refund_request": """
        select customer_id, cast(line_no as text) as refund_id, requested_on, resolved_on from refund_requests
    """,
    "int_lifecycle_pause": """
        select customer_id, cast(line_no as text) as pause_id, from_on, to_on from pauses
    """,
    "int_lifecycle_goal": """
        select
            customer_id, cast(line_no as text) as goal_id, subject, expected_score, actual_score, set_on, due_on,
            measured_on
        from goals
    """,
    "int_lifecycle_closed_day": "select campus_id, day as closed_on from closed_days group by campus_id, day",
    # Reasons told and courses completed are no part of the files: they change no stage.
    "int_lifecycle_exit_reason": """
        select
            cast(null as text) as customer_id, cast(null as date) as told_on, cast(null as text) as reason_code,
            cast(null as text) as source_table, cast(null as text) as source_id
        where false
    """,
    "int_lifecycle_goal_reached": """
        select cast(null as text) as customer_id, cast(null as date) as reached_on where false
    """,
}

#: What is written: the query of each file. Sorted byte by byte, whatever the server's collation.
RESULTS = {
    "spans": """
        select customer_id, stage_code, base_stage, run_no, valid_from, valid_to
        from core.fct_lifecycle_span
        order by customer_id collate "C", valid_from
    """,
    "transitions": """
        select customer_id, transition_on, layer, from_code, to_code, reason_code
        from core.fct_lifecycle_transition
        order by customer_id collate "C", transition_on, layer collate "C"
    """,
    "signals": """
        select customer_id, signal_code, opened_on, closed_on
        from core.fct_risk_signal
        order by customer_id collate "C", opened_on, signal_code collate "C"
    """,
}
MODELS = [
    f"+{model},path:models/lifecycle"
    for model in ("fct_lifecycle_span", "fct_lifecycle_transition", "fct_risk_signal")
]


# -- the command -------------------------------------------------------------------------------------


def _as_of(text: str) -> date:
    try:
        return _day(text)
    except ValueError:
        raise typer.BadParameter("write a day such as 2026-03-01") from None


def spans(
    events: Annotated[
        Path,
        typer.Option(help="Folder with customers.csv, lines.csv and the other files of histories"),
    ],
    as_of: Annotated[
        date,
        typer.Option(help="Last day to look at, e.g. 2026-03-01", parser=_as_of, metavar="DAY"),
    ],
    out: Annotated[Path, typer.Option(help="Folder for spans.csv, transitions.csv and signals.csv")],
) -> None:
    """Run the lifecycle models on histories given as CSV, and write spans, transitions and signals.

    The files and their columns are described in docs/lifecycle_readings.md. The models run in a database of their
    own on the warehouse's server, which is dropped afterwards; the warehouse itself is left alone.

    Raises HistoryError for a file that does not hold what it should, naming file and line, and LifecourseError
    if the server cannot be reached or a model fails.
    """
    tell(events, as_of, out)


def tell(events: Path, as_of: date, out: Path, server: Warehouse | None = None) -> dict[str, int]:
    """What `spans` does, on any server; returns the rows written per file."""
    check_folder(events)
    with scratch(server or warehouse()) as target:
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            load(connection, events)
        models = Models(target)
        models.seed(as_of)
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            override_rules(connection, events)
        models.run(as_of, MODELS)
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            return {name: _write(connection, query, out / f"{name}.csv") for name, query in RESULTS.items()}


class Models:
    """The production lifecycle models on the relations of a scratch database."""

    def __init__(self, target: Warehouse) -> None:
        self.dbt = Dbt(target, work_dir=settings().home / "histories")

    def seed(self, as_of: date) -> None:
        """Load rules, stages, reasons and signals."""
        _must_succeed(self.dbt.run("seed", ["path:seeds/lifecycle"], self.variables(as_of)))

    def run(self, as_of: date, models: Sequence[str], kind: str = "full") -> None:
        """Run the models as of a day, for everybody or (`kind` incremental) for core.changed_customer."""
        _must_succeed(self.dbt.run("run", models, self.variables(as_of, kind)))

    @staticmethod
    def variables(as_of: date, kind: str = "full") -> dict[str, Any]:
        """What a build passes to dbt."""
        return {
            "as_of": as_of.isoformat(),
            "build_id": "histories",
            "build_kind": kind,
            "institution_timezone": settings().timezone,
            "purchase_event": "order",
            "target_schema": "core",
            "risk_signals": risk_signal_codes(),
        }


def _must_succeed(outcomes: Sequence[NodeOutcome]) -> None:
    failed = [each for each in outcomes if not each.is_good]
    if failed:
        first = next((each for each in failed if each.status == "error"), failed[0])
        raise LifecourseError(
            f"{first.status}: {first.message}",
            first.name,
            "this is a fault of the model",
        )


def _write(connection: Connection, query: str, path: Path) -> int:
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
                f"no database for the histories: {sanitised(error)}",
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
        "lifecourse spans",
        "wait until one has ended",
    )


# -- loading -----------------------------------------------------------------------------------------


def check_folder(events: Path) -> None:
    """Raise HistoryError unless the folder is there and holds one of the files, and no other CSV."""
    if not events.is_dir():
        raise HistoryError(
            "there is no such folder",
            str(events),
            "give the folder that holds customers.csv",
        )
    found = {path.stem for path in events.glob("*.csv")}
    for name in sorted(found - set(FILES)):
        raise HistoryError(
            "no file of histories has this name",
            f"{name}.csv",
            f"names are {', '.join(FILES)}",
        )
    if not found:
        raise HistoryError(
            "the folder holds no CSV file",
            str(events),
            f"put {', '.join(FILES)} (.csv) there",
        )


def load(connection: Connection, events: Path) -> None:
    """Fill the tables that the models read from the files of the folder.

    Raises HistoryError with file and line for a value that is not what its column holds, a key that comes twice,
    or a row about a customer or a line that is not there.
    """
    connection.execute(f"create schema {SCHEMA}")
    connection.execute("create schema core")
    connection.execute(f"set search_path to {SCHEMA}")
    for name, columns in FILES.items():
        definitions = [f"{column.name} {column.kind.postgres}" for column in columns]
        if name in NUMBERED:
            definitions.append("line_no bigint generated always as identity (start with 2)")
        connection.execute(f"create unlogged table {name} ({', '.join(definitions)})")
        path = events / f"{name}.csv"
        if path.exists():
            _copy(connection, name, path)
    if not (events / "customers.csv").exists():
        # Without that file the customers are those of the others, without a campus.
        everybody = " union ".join(f"select customer_id from {name}" for name in ABOUT_CUSTOMERS)
        connection.execute(f"insert into customers (customer_id) {everybody}")
    for name in FILES:
        connection.execute(f"analyze {name}")
    _check_keys(connection, events)
    _make_views(connection)


def _copy(connection: Connection, name: str, path: Path) -> None:
    """One file into its table. Arrow reads and checks; a person is told the line by a second, slower reading."""
    columns = _columns_in(name, path)
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


def _columns_in(name: str, path: Path) -> list[Column]:
    """The columns that the file has, in its order. Raises HistoryError for an unknown or a missing one."""
    with _text_of(path) as file:
        header = next(csv.reader(file), [])
    known = {column.name: column for column in FILES[name]}
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
def _text_of(path: Path) -> Iterator[io.TextIOWrapper]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError:
        raise HistoryError("the file is not UTF-8", path.name, "save it as CSV in UTF-8") from None


def _first_fault(path: Path, columns: Sequence[Column]) -> HistoryError:
    """The first line that does not hold what it should, and what to write there."""
    with _text_of(path) as file:
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


def _check_keys(connection: Connection, events: Path) -> None:
    """Keys come once, and what is referred to is there."""
    for name, key in (("customers", "customer_id"), ("lines", "line_id")):
        twice = _one(
            connection,
            f"select {key} from {name} group by {key} having count(*) > 1 limit 1",
        )
        if twice:
            raise _at_value(
                events,
                name,
                {key: twice[0]},
                f"a second row with this {key}",
                "leave one out",
                nth=2,
            )
    for name in ABOUT_CUSTOMERS:
        stray = _one(
            connection,
            f"select distinct customer_id from {name} except select customer_id from customers limit 1",
        )
        if stray:
            raise _at_value(
                events,
                name,
                {"customer_id": stray[0]},
                "a customer who is not in customers.csv",
                "add the customer there (one row each), or mend the id",
            )
    stray = _one(
        connection,
        """
        select outcomes.customer_id, outcomes.line_id
        from outcomes
        left join lines on lines.line_id = outcomes.line_id and lines.customer_id = outcomes.customer_id
        where outcomes.line_id is not null and lines.line_id is null
        limit 1
        """,
    )
    if stray:
        raise _at_value(
            events,
            "outcomes",
            {"customer_id": stray[0], "line_id": stray[1]},
            "a line that the customer does not have in lines.csv",
            "add the line there, mend the id, or leave line_id empty",
        )
    _check_lines(events)


def _check_lines(events: Path) -> None:
    """What columns of lines.csv say together."""
    path = events / "lines.csv"
    if not path.exists():
        return
    with _text_of(path) as file:
        reader = csv.DictReader(file)
        for row in reader:
            where = f"{path.name} line {reader.line_num}"
            if bool(row.get("cut_on")) != bool(row.get("cut_by")):
                raise HistoryError("one of cut_on and cut_by alone", where, "fill both, or none")
            if row.get("lessons") and row["kind"] == "package" and not Decimal(row["lessons"]):
                raise HistoryError(
                    "a package of no lessons",
                    where,
                    "write the number of lessons, or none: no limit",
                )


def _one(connection: Connection, query: str) -> tuple[Any, ...] | None:
    return connection.execute(query).fetchone()


def _at_value(
    events: Path, name: str, values: dict[str, str], what: str, do: str, nth: int = 1
) -> HistoryError:
    """An error at the nth row that holds the values."""
    path = events / f"{name}.csv"
    with _text_of(path) as file:
        reader = csv.DictReader(file)
        for row in reader:
            if all(row[key] == value for key, value in values.items()):
                nth -= 1
                if not nth:
                    return HistoryError(what, f"{path.name} line {reader.line_num}", do)
    return HistoryError(what, path.name, do)


def _make_views(connection: Connection) -> None:
    """The relations that the models refer to, in the schema of a build."""
    for name, query in VIEWS.items():
        connection.execute(f"create view core.{name} as {query}")
    zone = sql.Literal(settings().timezone)
    contacts = []
    for name, column in CONTACTS:
        kind = next(each.kind for each in FILES[name] if each.name == column)
        day = sql.SQL("cast(min({}) at time zone {} as date)" if kind is INSTANT else "min({})").format(
            sql.Identifier(column), *([zone] if kind is INSTANT else [])
        )
        contacts.append(
            sql.SQL(
                "select customer_id, {day} as contact_on, {name} as cause_table, cast({day} as text) as cause_id "
                "from {table} where {column} is not null group by customer_id"
            ).format(
                day=day,
                name=sql.Literal(name),
                table=sql.Identifier(name),
                column=sql.Identifier(column),
            )
        )
    connection.execute(
        sql.SQL("create view core.int_lifecycle_contact as {}").format(sql.SQL(" union all ").join(contacts))
    )


def override_rules(connection: Connection, events: Path) -> None:
    """Put the numbers of rules.csv in the place of the seed's. Raises HistoryError for one that means nothing."""
    known = {row[0] for row in connection.execute("select rule from core.lifecycle_rules")}
    given = connection.execute(f"select campus_id, rule, value from {SCHEMA}.rules").fetchall()
    seen: set[tuple[str | None, str]] = set()
    for campus, rule, value in given:
        where = {"rule": rule, "campus_id": campus or ""} if campus else {"rule": rule}
        if rule not in known:
            raise _at_value(
                events,
                "rules",
                where,
                "no rule has this name",
                f"rules are {', '.join(sorted(known))}",
            )
        if rule not in SHARES and value != value.to_integral_value():
            raise _at_value(events, "rules", where, f"{rule} is not a whole number", "write one")
        if rule in AT_LEAST_ONE and value < 1:
            raise _at_value(events, "rules", where, f"{rule} is less than 1", "write 1 or more")
        if (campus, rule) in seen:
            raise _at_value(
                events,
                "rules",
                where,
                "a second number for this rule",
                "leave one out",
                nth=2,
            )
        seen.add((campus, rule))
    connection.execute(
        f"""
        delete from core.lifecycle_rules as kept
        using {SCHEMA}.rules as given
        where given.rule = kept.rule and coalesce(given.campus_id, '') = coalesce(kept.campus_id, '')
        """
    )
    connection.execute(
        f"insert into core.lifecycle_rules (campus_id, rule, value) select campus_id, rule, value from {SCHEMA}.rules"
    )
