"""MySQL and MariaDB sources: one consistent snapshot, rows streamed unbuffered, through Arrow.

The session's time zone is UTC. A ``TIMESTAMP`` is an instant and needs no cast; a ``DATETIME`` is a wall time and
needs ``cast: local_time``; seconds since 1970, as Moodle keeps them, need ``cast: unix_seconds``. Values leave the
server as text and are cast here (see `lifecourse.sources.casting`), so that decimals stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pymysql
import pymysql.converters
import pymysql.cursors
from pymysql.constants import FIELD_TYPE

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.sources.base import SourceColumn, Unit, Window
from lifecourse.sources.casting import NO_INSTANT, cast_batch
from lifecourse.sources.spec import ColumnSpec, SystemSpec, TableSpec, resolve

#: Rows per batch.
BATCH_ROWS = 20_000
_CONNECT_SECONDS = 10
#: Seconds the server waits for us while we are busy with rows it has sent.
_PATIENCE_SECONDS = 3600
#: Errors whose text names objects and never values: database, table, column, rights.
_VALUE_FREE = frozenset({1044, 1049, 1054, 1109, 1142, 1143, 1146})
# Encoders only: without decoders every value arrives as the text the server sent.
_TEXT_ONLY: dict[Any, Any] = {
    kind: encode for kind, encode in pymysql.converters.conversions.items() if not isinstance(kind, int)
}


class MySQLReader:
    """Reads a MySQL or MariaDB database (see `lifecourse.sources.base.Reader`).

    `url` in the YAML: ``mysql://user:password@host:3306/database``, with ``?ssl_ca=FILE`` for TLS.
    """

    def __init__(self, spec: SystemSpec) -> None:
        self.spec = spec
        self._connection: pymysql.Connection[Any] | None = None

    def __enter__(self) -> Self:
        try:
            connection: pymysql.Connection[Any] = pymysql.connect(
                **self._arguments(),
                charset="utf8mb4",
                conv=_TEXT_ONLY,
                cursorclass=pymysql.cursors.SSCursor,
                connect_timeout=_CONNECT_SECONDS,
                autocommit=True,
                program_name=f"lifecourse pull {self.spec.system}",
            )
            try:
                with connection.cursor() as cursor:
                    cursor.execute("set session time_zone = '+00:00'")
                    cursor.execute(f"set session net_write_timeout = {_PATIENCE_SECONDS}")
                    cursor.execute("set session transaction isolation level repeatable read")
                    cursor.execute("start transaction with consistent snapshot, read only")
            except BaseException:
                connection.close()
                raise
        except pymysql.MySQLError as error:
            raise LifecourseError(
                f"cannot connect: {_explain(error)}",
                f"system {self.spec.system}",
                f"check that the database answers and `url` in {self.spec.file}",
            ) from None
        self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None and self._connection.open:
            self._connection.close()
        self._connection = None

    @property
    def connection(self) -> pymysql.Connection[Any]:
        if self._connection is None:
            raise LifecourseError(
                "the reader is not open", f"system {self.spec.system}", "use it in a `with` block"
            )
        return self._connection

    def clock(self) -> datetime:
        ((now,),) = self._rows("select utc_timestamp(6)", f"system {self.spec.system}")
        return datetime.fromisoformat(now).replace(tzinfo=UTC)

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        where = f"system {self.spec.system}, table {table.name}"
        schema, _, name = str(table.source).rpartition(".")
        schema_sql = self.connection.escape(schema) if schema else "database()"
        rows = self._rows(
            "select column_name, column_type from information_schema.columns"
            f" where table_schema = {schema_sql} and table_name = {self.connection.escape(name)}"
            " order by ordinal_position",
            where,
        )
        if not rows:
            raise LifecourseError(
                f"source table {table.source} is missing or may not be read",
                where,
                f"mend `from` in {self.spec.file}, or grant select on it",
            )
        return [SourceColumn(column, kind) for column, kind in rows]

    def units(self, table: TableSpec, window: Window) -> list[Unit]:
        """The whole window is one unit."""
        return [Unit()]

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """Rows changed in the window, from the snapshot, without holding more than a batch of them."""
        where = f"system {self.spec.system}, table {table.name}"
        columns = table.read_columns
        select = ", ".join(f"({_source(column)}) as `{column.name}`" for column in columns)
        query = f"select {select} from {table.source}{self._condition(table, window)}"
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(query)
                is_timestamp = _timestamps(cursor.description, columns, where)
                while rows := cursor.fetchmany(BATCH_ROWS):
                    arrays = {}
                    for position, column in enumerate(columns):
                        text = pa.array([_text(row[position]) for row in rows], pa.string())
                        if is_timestamp[position]:
                            # The session is in UTC, and MySQL does not say so in its text.
                            text = pc.binary_join_element_wise(text, "+00:00", "")
                        arrays[column.name] = text
                    yield cast_batch(arrays, columns, self._zone, where)
        except pymysql.MySQLError as error:
            raise LifecourseError(
                f"cannot be read: {_explain(error)}", where, "check the table's entry"
            ) from None

    def _condition(self, table: TableSpec, window: Window) -> str:
        if table.change_time is None:
            return ""
        column = table.columns[table.change_time]
        changed = f"({_source(column)})"
        # A row without a change time is read every night: better twice than never.
        unknown = f"{changed} is null"
        if column.cast == "unix_seconds":
            unknown = f"({unknown} or {changed} in ({', '.join(map(str, NO_INSTANT))}))"
        inside = f"{changed} <= {self._instant(column, window.until)}"
        if window.after is not None:
            inside = f"{changed} > {self._instant(column, window.after)} and {inside}"
        return f" where {unknown} or ({inside})"

    def _instant(self, column: ColumnSpec, instant: datetime) -> str:
        """The instant as the source writes the column, so that the source's index on it serves."""
        if column.cast == "unix_seconds":
            return str(math.floor(instant.timestamp()))
        zone = self._zone if column.cast == "local_time" else UTC
        return f"'{instant.astimezone(zone):%Y-%m-%d %H:%M:%S.%f}'"

    def _rows(self, query: str, where: str) -> list[tuple[Any, ...]]:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        except pymysql.MySQLError as error:
            raise LifecourseError(_explain(error), where, "check the database and the rights on it") from None

    def _arguments(self) -> dict[str, Any]:
        where = str(self.spec.file)
        url = urlsplit(resolve(self.spec.url, where))
        database = unquote(url.path.lstrip("/"))
        if url.scheme not in ("mysql", "mariadb") or not url.hostname or not database:
            raise LifecourseError(
                "`url` is no MySQL URL", where, "write mysql://user:password@host:3306/database"
            )
        arguments: dict[str, Any] = {
            "host": url.hostname,
            "port": url.port or 3306,
            "user": unquote(url.username or ""),
            "password": unquote(url.password or ""),
            "database": database,
        }
        if authority := parse_qs(url.query).get("ssl_ca"):
            arguments["ssl_ca"] = authority[0]
            arguments["ssl_verify_cert"] = True
        return arguments

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.spec.timezone or settings().timezone)


def _source(column: ColumnSpec) -> str:
    return column.source or column.name


def _timestamps(description: Any, columns: list[ColumnSpec], where: str) -> list[bool]:
    """Which columns are a ``TIMESTAMP``; raises for a time whose cast cannot be right."""
    found = []
    for column, (_, kind, *_) in zip(columns, description, strict=True):
        is_instant = column.type == "timestamptz" and not column.personal
        if is_instant and kind == FIELD_TYPE.DATETIME and column.cast == "plain":
            raise LifecourseError(
                f"column {column.name} is a DATETIME, a time without a zone",
                where,
                "say `cast: local_time` and the system's `timezone`",
            )
        if is_instant and kind == FIELD_TYPE.TIMESTAMP and column.cast != "plain":
            raise LifecourseError(
                f"column {column.name} is a TIMESTAMP, an instant already", where, "leave its `cast` out"
            )
        found.append(is_instant and kind == FIELD_TYPE.TIMESTAMP)
    return found


def _text(value: object) -> str | None:
    # Binary columns and bits have no text: hexadecimal, as Postgres writes them.
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value  # type: ignore[return-value]


def _explain(error: pymysql.MySQLError) -> str:
    """Number and class of the error; its text, which may quote a value, only where it names objects."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else None
    text = f": {error.args[1]}" if code in _VALUE_FREE and len(error.args) > 1 else ""
    return f"{type(error).__name__} {code or ''}".strip() + text
