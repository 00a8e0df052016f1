"""A table that readers get, and what publishing asks the catalogue about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.warehouse.roles import SCHEMAS

Connection = psycopg.Connection[tuple[Any, ...]]

CORE = "core"
MARTS = "marts"
NEXT = "marts_next"
PREVIOUS = "marts_previous"
UNDO = "marts_undo"
#: One wait for a lock. PostgreSQL looks for deadlocks after one second; within less, a reader that holds one
#: of our tables and waits for another is never the one that is ended.
LOCK_MILLISECONDS = 600
#: Kept by publishing itself: never swapped, never removed.
OWN_TABLE = "publication"
READERS = next(schema.readers for schema in SCHEMAS if schema.name == MARTS)


class PublishError(LifecourseError):
    """Nothing was published, and readers see what they saw before."""


@dataclass(frozen=True)
class PublicTable:
    """A table of `core` that readers get.

    `customer_column` null: the rows belong to no customer. `changed_by`: a build changes only rows of the keys that a
    table of `core` lists, (column, table), and rows without such a key; null: it may change any row (ranks, rolling
    windows). `open_to_branches`: a table without a campus that logins of a branch may read whole.
    """

    name: str
    primary_key: Sequence[str]
    customer_column: str | None = None
    indexes: Sequence[Sequence[str]] = ()
    changed_by: tuple[str, str] | None = None
    open_to_branches: bool = False


def columns_of(connection: Connection, schema: str, table: str) -> list[tuple[str, str]]:
    """Name and type of each column, in order; empty when there is no such table."""
    return [
        (name, type_)
        for name, type_ in connection.execute(
            "select a.attname, format_type(a.atttypid, a.atttypmod) from pg_attribute as a"
            " join pg_class as c on c.oid = a.attrelid"
            " where c.relnamespace = to_regnamespace(%s) and c.relname = %s"
            " and a.attnum > 0 and not a.attisdropped order by a.attnum",
            (schema, table),
        )
    ]


def exists(connection: Connection, schema: str, table: str) -> bool:
    return bool(columns_of(connection, schema, table))


def count_rows(connection: Connection, table: str) -> int:
    row = connection.execute(
        sql.SQL("select count(*) from {}").format(sql.Identifier(MARTS, table))
    ).fetchone()
    assert row is not None
    return int(row[0])


def tables_in(connection: Connection, schema: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "select relname::text from pg_class where relnamespace = to_regnamespace(%s) and relkind = 'r'"
            " order by relname",
            (schema,),
        )
    ]


def empty(connection: Connection, schema: str, give_up: float) -> None:
    """Drop the tables of a schema that readers have no business in, one after the other.

    A session may still come for one that was in `marts` once: by a plan it kept, or a view that was left
    behind. With one lock at a time, neither can end up waiting for the other. Raises PublishError when
    somebody holds a table past `give_up` (monotonic seconds).
    """
    for name in tables_in(connection, schema):
        while True:
            try:
                with connection.transaction():
                    connection.execute(f"set local lock_timeout = {LOCK_MILLISECONDS}")
                    drop_tables(connection, schema, [name])
                break
            except psycopg.errors.LockNotAvailable:
                if time.monotonic() > give_up:
                    raise PublishError(
                        f"somebody reads it: {describe(holders(connection, schema, [name]))}",
                        f"{schema}.{name}",
                        "end that session or wait for it, then do the same again",
                    ) from None
                time.sleep(0.2)


def drop_tables(connection: Connection, schema: str, names: Sequence[str] | None = None) -> None:
    """Drop tables of a schema (default: all), and views that others have left on them."""
    names = tables_in(connection, schema) if names is None else names
    if names:
        connection.execute(
            sql.SQL("drop table {} cascade").format(
                sql.SQL(", ").join(sql.Identifier(schema, name) for name in names)
            )
        )


def holders(connection: Connection, schema: str, tables: Sequence[str]) -> list[tuple[int, str, str]]:
    """Session, its login, and the table, for each lock that others have on the tables."""
    return [
        (pid, login, table)
        for pid, login, table in connection.execute(
            "select distinct l.pid, r.rolname::text, c.relname::text from pg_locks as l"
            " join pg_class as c on c.oid = l.relation and c.relnamespace = to_regnamespace(%s)"
            " join pg_stat_activity as a on a.pid = l.pid join pg_roles as r on r.oid = a.usesysid"
            " where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid() and c.relname = any(%s)"
            " and l.database = (select oid from pg_database where datname = current_database())",
            (schema, list(tables)),
        )
    ]


def describe(sessions: Iterable[tuple[Any, ...]]) -> str:
    """Process id and login of each session, for an error message."""
    return (
        ", ".join(sorted({f"session {pid} of {login}" for pid, login, *_ in sessions})) or "nobody any more"
    )


def broken_key(table: PublicTable, wrong: str) -> PublishError:
    return PublishError(
        f"the key ({', '.join(table.primary_key)}) {wrong}",
        f"{CORE}.{table.name}",
        "add a test of the key to the model, so that the audit finds it",
    )


def listed(columns: Iterable[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in columns
    )


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if not name.isidentifier() or name != name.lower() else name
