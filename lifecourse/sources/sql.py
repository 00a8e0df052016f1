"""Postgres sources: one REPEATABLE READ snapshot, rows piped out by COPY.

Casts stand in the query that the source runs, so that a naive timestamp never leaves it without its zone
(a binary COPY of one would be read as UTC). Casts of text typed by hand are written so that they cannot
fail: what does not parse becomes null and is named in ``_cast_error``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Self

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.settings import settings
from lifecourse.sources.base import CAST_ERROR, KeyRange, SourceColumn, Unit, Window
from lifecourse.sources.spec import ColumnSpec, SystemSpec, TableSpec, resolve

#: Last characters of a key that name its range: a hundred ranges for decimal keys.
RANGE_CHARACTERS = 2


class PostgresReader:
    """Reads a Postgres database (see `lifecourse.sources.base.SnapshotReader`)."""

    def __init__(self, spec: SystemSpec) -> None:
        self.spec = spec
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> Self:
        url = _source_url(self.spec)
        try:
            connection = psycopg.connect(url, application_name=f"lifecourse pull {self.spec.system}")
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("set time zone 'UTC'")  # the first statement takes the snapshot
        except psycopg.Error as error:
            raise LifecourseError(
                f"cannot connect: {sanitised(error)}",
                f"system {self.spec.system}",
                f"check that the database answers and `url` in {self.spec.file}",
            ) from None
        self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> psycopg.Connection:
        if self._connection is None:
            raise LifecourseError(
                "the reader is not open", f"system {self.spec.system}", "use it in a `with` block"
            )
        return self._connection

    @property
    def in_snapshot(self) -> bool:
        """Whether the snapshot still stands; a failed statement or a lost connection ends it."""
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS

    def clock(self) -> datetime:
        row = self.connection.execute("select now()").fetchone()
        assert row is not None
        return row[0]

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        rows = self.connection.execute(
            """
            select attname, format_type(atttypid, atttypmod)
            from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            order by attnum
            """,
            (table.source,),
        ).fetchall()
        if not rows:
            raise LifecourseError(
                f"source table {table.source} is missing or may not be read",
                f"system {self.spec.system}, table {table.name}",
                f"mend `from` in {self.spec.file}, or grant select on it",
            )
        return [SourceColumn(name, kind) for name, kind in rows]

    def units(self, table: TableSpec, window: Window) -> list[Unit]:
        return [Unit()]

    def copy_into(self, table: TableSpec, window: Window, target: psycopg.Connection, relation: str) -> int:
        names = [column.name for column in table.read_columns]
        outward = sql.SQL("copy ({}) to stdout (format binary)").format(
            self._select(table, self._during(table, window))
        )
        inward = sql.SQL("copy {} ({}) from stdin (format binary)").format(
            sql.SQL(relation), sql.SQL(", ").join(map(sql.Identifier, [*names, CAST_ERROR]))
        )
        cursor = target.cursor()
        with self.connection.cursor().copy(outward) as source, cursor.copy(inward) as sink:
            for block in source:
                sink.write(block)
        return cursor.rowcount

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """All columns as text in Postgres' own notation, which the landing table parses again, exactly."""
        yield from self._read(table, self._during(table, window))

    def read_ranges(self, table: TableSpec, ranges: list[str], window: Window) -> Iterator[pa.RecordBatch]:
        """Like `read`, for whole key ranges up to the window's end, whatever their change time."""
        condition = sql.SQL("{} = any({}) and {}").format(
            self._range(table), sql.Literal(ranges), self._until(table, window)
        )
        yield from self._read(table, condition)

    def key_ranges(self, table: TableSpec) -> list[KeyRange]:
        query = sql.SQL("select {range}, count(*), sum({checksum}) from {source} group by 1").format(
            range=self._range(table),
            checksum=checksum(self._key(table), self._changed(table)),
            source=self._source(table),
        )
        return [KeyRange(name, count, int(total)) for name, count, total in self.connection.execute(query)]

    def keys(self, table: TableSpec, ranges: list[str]) -> Iterator[pa.RecordBatch]:
        query = sql.SQL("select {key}, {changed} from {source} where {range} = any({ranges})").format(
            key=sql.SQL(", ").join(
                sql.SQL("{} as {}").format(self._expression(table.columns[name]), sql.Identifier(name))
                for name in table.key
            ),
            changed=sql.SQL("{} as _changed_at").format(self._changed(table)),
            source=self._source(table),
            range=self._range(table),
            ranges=sql.Literal(ranges),
        )
        yield from self._copy_out(query, [*table.key, "_changed_at"])

    # The query ---------------------------------------------------------------------------------------

    def _read(self, table: TableSpec, condition: sql.Composable) -> Iterator[pa.RecordBatch]:
        names = [column.name for column in table.read_columns]
        yield from self._copy_out(self._select(table, condition), [*names, CAST_ERROR])

    def _copy_out(self, query: sql.Composable, names: list[str]) -> Iterator[pa.RecordBatch]:
        statement = sql.SQL("copy ({}) to stdout (format csv)").format(query)
        with self.connection.cursor().copy(statement) as source:
            stream = _CopyStream(source)
            if not stream.peek():
                return
            yield from pyarrow.csv.open_csv(
                io.BufferedReader(stream, 1 << 20),
                read_options=pyarrow.csv.ReadOptions(column_names=names, block_size=4 << 20),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pa.string() for name in names},
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    null_values=[""],
                ),
            )

    def _select(self, table: TableSpec, condition: sql.Composable) -> sql.Composed:
        columns = [
            sql.SQL("{} as {}").format(self._expression(column), sql.Identifier(column.name))
            for column in table.read_columns
        ]
        failures = [
            self._failure(column)
            for column in table.read_columns
            if column.cast in ("text_date", "text_number")
        ]
        failed = (
            sql.SQL("nullif(concat_ws(',', {}), '')").format(sql.SQL(", ").join(failures))
            if failures
            else sql.SQL("null::text")
        )
        columns.append(sql.SQL("{} as {}").format(failed, sql.Identifier(CAST_ERROR)))
        return sql.SQL("select {} from {} where {}").format(
            sql.SQL(", ").join(columns), self._source(table), condition
        )

    def _source(self, table: TableSpec) -> sql.Composable:
        return sql.SQL(table.source or table.name)

    def _expression(self, column: ColumnSpec) -> sql.Composable:
        source = column.source or column.name
        if column.personal:
            return sql.SQL(f"({source})::text")
        match column.cast:
            case "plain":
                return sql.SQL(f"({source})::{column.postgres_type}")
            case "local_time":
                return sql.SQL(f"({source}) at time zone ") + sql.Literal(self._zone)
            case "text_date":
                return sql.SQL(_SAFE_DATE.replace("{x}", f"({source})"))
            case "text_number":
                return sql.SQL(_SAFE_NUMBER.replace("{x}", f"({source})") + f"::{column.postgres_type}")
            case "unix_seconds":
                return sql.SQL(f"case when ({source}) not in (0, 2147483647) then to_timestamp({source}) end")

    def _failure(self, column: ColumnSpec) -> sql.Composable:
        return sql.SQL("case when btrim({}) <> '' and {} is null then {} end").format(
            sql.SQL(f"({column.source})"), self._expression(column), sql.Literal(column.name)
        )

    def _during(self, table: TableSpec, window: Window) -> sql.Composable:
        until = self._until(table, window)
        if table.change_time is None or window.after is None:
            return until
        # A row without a change time is read every night: better twice than never.
        return sql.SQL("({changed} > {after} or {changed} is null) and {until}").format(
            changed=self._bare_change_time(table), after=self._instant(table, window.after), until=until
        )

    def _until(self, table: TableSpec, window: Window) -> sql.Composable:
        if table.change_time is None:
            return sql.SQL("true")
        return sql.SQL("({changed} <= {until} or {changed} is null)").format(
            changed=self._bare_change_time(table), until=self._instant(table, window.until)
        )

    def _bare_change_time(self, table: TableSpec) -> sql.Composable:
        """The change time as the source stores it, so that the source's index on it serves."""
        assert table.change_time is not None
        return sql.SQL(f"({table.columns[table.change_time].source})")

    def _instant(self, table: TableSpec, instant: datetime) -> sql.Composable:
        assert table.change_time is not None
        match table.columns[table.change_time].cast:
            case "local_time":
                return sql.SQL("({}::timestamptz at time zone {})").format(
                    sql.Literal(instant.isoformat()), sql.Literal(self._zone)
                )
            case "unix_seconds":
                return sql.Literal(int(instant.timestamp()))
            case _:
                return sql.SQL("{}::timestamptz").format(sql.Literal(instant.isoformat()))

    def _changed(self, table: TableSpec) -> sql.Composable:
        if table.change_time is None:
            return sql.SQL("null::timestamptz")
        return self._expression(table.columns[table.change_time])

    def _key(self, table: TableSpec) -> sql.Composable:
        return key_text([self._expression(table.columns[name]) for name in table.key])

    def _range(self, table: TableSpec) -> sql.Composable:
        return range_of(self._key(table))

    @property
    def _zone(self) -> str:
        return self.spec.timezone or settings().timezone


def key_text(parts: list[sql.Composable]) -> sql.Composable:
    """A key of one or more columns as one text, the same on both sides of a comparison."""
    if len(parts) == 1:
        return sql.SQL("({})::text").format(parts[0])
    return sql.SQL("concat_ws('|', {})").format(sql.SQL(", ").join(parts))


def range_of(key: sql.Composable) -> sql.Composable:
    """The range a key falls into: its last characters, which spread evenly and cost nothing to take."""
    return sql.SQL("right({}, {})").format(key, sql.Literal(RANGE_CHARACTERS))


def checksum(key: sql.Composable, changed: sql.Composable) -> sql.Composable:
    """A number per row that changes with its key and its change time; summed per range."""
    return sql.SQL(
        "('x' || substr(md5(concat_ws('|', {}, (extract(epoch from {}) * 1000000)::bigint)), 1, 12))::bit(48)::bigint"
    ).format(key, changed)


class _CopyStream(io.RawIOBase):
    """The blocks of a COPY TO STDOUT as a readable stream."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def peek(self) -> bool:
        """Whether there is anything to read."""
        self._fill()
        return bool(self._rest)

    def _fill(self) -> None:
        if not self._rest:
            self._rest = memoryview(self._copy.read())

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        self._fill()
        taken = min(len(buffer), len(self._rest))
        buffer[:taken] = self._rest[:taken]
        self._rest = self._rest[taken:]
        return taken


def _source_url(spec: SystemSpec) -> str:
    url = resolve(spec.url, str(spec.file))
    if url.startswith("simulated:"):
        # The make-believe institution lives on the warehouse's own server, in databases of its own.
        from lifecourse.warehouse.connection import Role, warehouse

        return warehouse().url(Role.SOURCE_READER, url.removeprefix("simulated:"))
    return url


# YYYY-MM-DD, also with / or . and without leading zeros. Written with nested `case`, because only that
# fixes the order of evaluation: `make_date` raises on the 30th of February.
_SAFE_DATE = r"""case when btrim({x}) ~ '^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}$' then
    case when (regexp_split_to_array(btrim({x}), '[-/.]'))[1]::integer between 1900 and 2199
        and (regexp_split_to_array(btrim({x}), '[-/.]'))[2]::integer between 1 and 12 then
        case when (regexp_split_to_array(btrim({x}), '[-/.]'))[3]::integer between 1 and extract(day from
            make_date((regexp_split_to_array(btrim({x}), '[-/.]'))[1]::integer,
                (regexp_split_to_array(btrim({x}), '[-/.]'))[2]::integer, 1) + interval '1 month - 1 day')::integer
        then make_date((regexp_split_to_array(btrim({x}), '[-/.]'))[1]::integer,
            (regexp_split_to_array(btrim({x}), '[-/.]'))[2]::integer,
            (regexp_split_to_array(btrim({x}), '[-/.]'))[3]::integer) end end end"""
_SAFE_NUMBER = r"(case when btrim({x}) ~ '^[-+]?\d+(\.\d+)?$' then btrim({x})::numeric end)"
