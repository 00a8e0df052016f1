"""Rows to the databases: columns become CSV by Arrow, and go in by COPY."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from psycopg import sql

from lifecourse.simulator.planting import BROKEN_DATES, BROKEN_FROM
from lifecourse.simulator.schema import (
    DATABASES,
    PAYMENTS,
    SIGNUP,
    SYSTEM_OF,
    TABLES,
    create_indexes,
    create_table,
    key_of,
)
from lifecourse.simulator.sheets import NONE, Column, State

Connection = psycopg.Connection[Any]
#: One connection per system.
Connections = Mapping[str, Connection]

#: Seconds that the clock in Shanghai is ahead of UTC.
_AHEAD = 8 * 3_600
_HUNDREDTH = pa.scalar(Decimal("0.01"), pa.decimal128(3, 2))
SOURCE_READER = "lifecourse_source_reader"


def _array(system: str, kind: str, values: Column) -> pa.Array:
    if kind == "text":
        return pa.array(values, pa.string())
    if kind in ("num", "hours"):
        return pa.array(values, mask=np.isnan(values))
    if kind == "bool":
        return pa.array(values.astype(bool), mask=values < 0)
    null = values == NONE
    if kind in ("id", "int"):
        return pa.array(values, mask=null)
    if kind.startswith("code:"):
        numbers = pa.array(values, mask=null).cast(pa.string())
        return pc.binary_join_element_wise(kind[5:], numbers, "")
    if kind in ("day", "textday"):
        broken = (values <= BROKEN_FROM) & ~null
        days = pa.array(values.astype("datetime64[D]"), mask=null | broken, type=pa.date32())
        if kind == "day":
            return days
        words = np.array(BROKEN_DATES, dtype=object)[np.where(broken, BROKEN_FROM - values, 0)]
        return pc.if_else(pa.array(broken), pa.array(words, pa.string()), days.cast(pa.string()))
    if kind == "money":
        cents = pa.array(values, mask=null).cast(pa.decimal128(19, 0))
        return pc.multiply(cents, _HUNDREDTH)
    if kind == "at":
        if system == SIGNUP:
            return pa.array(values.astype("datetime64[s]"), mask=null)
        return pa.array((values - _AHEAD).astype("datetime64[s]"), mask=null, type=pa.timestamp("s", "UTC"))
    raise ValueError(f"no such kind of column: {kind}")


def to_arrow(state: State) -> pa.Table:
    """The rows as the source system holds them."""
    system = SYSTEM_OF[state.table]
    kinds = TABLES[system][state.table]
    return pa.table({name: _array(system, kind, state.columns[name]) for name, kind in kinds.items()})


def _copy(connection: Connection, target: sql.Composable, table: str, rows: pa.Table) -> None:
    buffer = pa.BufferOutputStream()
    pacsv.write_csv(rows, buffer, pacsv.WriteOptions(include_header=False))
    columns = sql.SQL(", ").join(map(sql.Identifier, TABLES[SYSTEM_OF[table]][table]))
    with connection.cursor().copy(
        sql.SQL("copy {} ({}) from stdin (format csv)").format(target, columns)
    ) as copy:
        copy.write(buffer.getvalue().to_pybytes())


def create_tables(connections: Connections) -> None:
    """Drop what an earlier institution left, and make the tables, empty and without indexes."""
    for system, tables in TABLES.items():
        for table in tables:
            connections[system].execute(f"drop table if exists public.{table}")  # type: ignore[arg-type]
            connections[system].execute(create_table(system, table))  # type: ignore[arg-type]


def finish_tables(connections: Connections) -> None:
    """Keys, indexes, statistics, and the right to read for the warehouse's reader."""
    for system, tables in TABLES.items():
        connection = connections[system]
        for table in tables:
            for statement in create_indexes(table):
                connection.execute(statement)  # type: ignore[arg-type]
            connection.execute(f"analyze public.{table}")  # type: ignore[arg-type]
        known = connection.execute("select 1 from pg_roles where rolname = %s", (SOURCE_READER,)).fetchone()
        if known:
            reader = sql.Identifier(SOURCE_READER)
            connection.execute(sql.SQL("grant usage on schema public to {}").format(reader))
            connection.execute(sql.SQL("grant select on all tables in schema public to {}").format(reader))


def insert(connections: Connections, table: str, rows: pa.Table) -> None:
    """Add rows that are not there yet."""
    _copy(connections[SYSTEM_OF[table]], sql.Identifier("public", table), table, rows)


def upsert(connections: Connections, table: str, rows: pa.Table) -> None:
    """Add rows, or put them in the place of those with the same key."""
    connection, key = connections[SYSTEM_OF[table]], key_of(table)
    target, incoming = sql.Identifier("public", table), sql.Identifier(f"incoming_{table}")
    connection.execute(sql.SQL("create temp table {} (like {})").format(incoming, target))
    _copy(connection, incoming, table, rows)
    columns = list(TABLES[SYSTEM_OF[table]][table])
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    news = sql.SQL(", ").join(
        sql.SQL("{} = excluded.{}").format(sql.Identifier(c), sql.Identifier(c)) for c in columns if c != key
    )
    connection.execute(
        sql.SQL("insert into {} ({}) select {} from {} on conflict ({}) do update set {}").format(
            target, names, names, incoming, sql.Identifier(key), news
        )
    )
    # The next chunk of the same step brings another.
    connection.execute(sql.SQL("drop table {}").format(incoming))


def delete(connections: Connections, table: str, keys: list[int]) -> list[str]:
    """Delete rows by key, and say which of them were there."""
    connection = connections[SYSTEM_OF[table]]
    found = connection.execute(
        sql.SQL("delete from {} where {} = any(%s) returning {}::text").format(
            sql.Identifier("public", table), sql.Identifier(key_of(table)), sql.Identifier(key_of(table))
        ),
        (keys,),
    ).fetchall()
    return sorted(row[0] for row in found)


__all__ = [
    "DATABASES",
    "PAYMENTS",
    "Connections",
    "create_tables",
    "delete",
    "finish_tables",
    "insert",
    "to_arrow",
    "upsert",
]
