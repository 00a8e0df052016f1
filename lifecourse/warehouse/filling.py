"""New tables for a swap: filled where nobody looks, and shown when no snapshot is too old for their rows."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
from psycopg import sql

from lifecourse.warehouse.branches import protect
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.public_table import (
    CORE,
    MARTS,
    NEXT,
    READERS,
    Connection,
    PublicTable,
    PublishError,
    broken_key,
    columns_of,
    describe,
    listed,
    quoted,
)
from lifecourse.warehouse.roles import Role

#: Up to this many rows a new table is vacuumed at once, so that index-only scans work from the first query;
#: the autovacuum sees to larger ones, where it would hold the night up.
VACUUM_ROWS = 200_000


def fill(warehouse: Warehouse, tables: Sequence[PublicTable]) -> dict[str, int]:
    """Copy the tables to `marts_next`, a few at a time, all from one snapshot; return their rows."""
    if not tables:
        return {}
    with warehouse.connect(Role.PUBLISHER) as exporter:
        exporter.execute("set transaction isolation level repeatable read")
        row = exporter.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        snapshot = row[0]
        sizes = dict(
            exporter.execute(
                "select relname, pg_table_size(oid) from pg_class"
                " where relnamespace = %s::regnamespace and relname = any(%s)",
                (CORE, [table.name for table in tables]),
            ).fetchall()
        )
        largest_first = sorted(tables, key=lambda table: -sizes.get(table.name, 0))
        workers = min(4, os.cpu_count() or 1, len(tables))
        sessions = _Sessions(warehouse)
        try:
            with ThreadPoolExecutor(workers, thread_name_prefix="publish") as pool:
                counts = list(
                    pool.map(lambda table: _fill_one(sessions.mine(), snapshot, table), largest_first)
                )
        finally:
            sessions.close()
    return {table.name: count for table, count in zip(largest_first, counts, strict=True)}


class _Sessions:
    """One session per thread."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._local = threading.local()
        self._open: list[Connection] = []

    def mine(self) -> Connection:
        if not hasattr(self._local, "connection"):
            self._local.connection = self._warehouse.connect(Role.PUBLISHER, autocommit=True)
            self._open.append(self._local.connection)
        connection: Connection = self._local.connection
        return connection

    def close(self) -> None:
        for connection in self._open:
            connection.close()


def _fill_one(connection: Connection, snapshot: str, table: PublicTable) -> int:
    core, new = sql.Identifier(CORE, table.name), sql.Identifier(NEXT, table.name)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(snapshot)))
        columns = [name for name, _ in columns_of(connection, CORE, table.name)]
        count = connection.execute(
            sql.SQL("create table {} as select {} from {}").format(new, listed(columns), core)
        ).rowcount
        required = [
            name
            for (name,) in connection.execute(
                "select attname from pg_attribute where attrelid = to_regclass(%s)"
                " and attnum > 0 and not attisdropped and attnotnull",
                (f"{CORE}.{quoted(table.name)}",),
            )
        ]
        if required:
            connection.execute(
                sql.SQL("alter table {} ").format(new)
                + sql.SQL(", ").join(
                    sql.SQL("alter column {} set not null").format(sql.Identifier(name)) for name in required
                )
            )
        try:
            connection.execute(
                sql.SQL("alter table {} add primary key ({})").format(new, listed(table.primary_key))
            )
        except (psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation) as error:
            wrong = "is null" if isinstance(error, psycopg.errors.NotNullViolation) else "is not unique"
            raise broken_key(table, wrong) from None
        for index in _indexes(table):
            connection.execute(sql.SQL("create index on {} ({})").format(new, listed(index)))
        _copy_comments(connection, table.name)
        for role in READERS:
            connection.execute(sql.SQL("grant select on {} to {}").format(new, sql.Identifier(role.login)))
        protect(connection, table, columns)
    vacuum = "vacuum (analyze) {}" if count <= VACUUM_ROWS else "analyze {}"
    connection.execute(sql.SQL(vacuum).format(new))
    return count


def _indexes(table: PublicTable) -> list[list[str]]:
    """The indexes asked for, and one that finds a customer's rows unless there is such a one."""
    indexes = [list(index) for index in table.indexes]
    leading = {index[0] for index in [list(table.primary_key), *indexes] if index}
    if table.customer_column and table.customer_column not in leading:
        indexes.append([table.customer_column])
    return indexes


def _copy_comments(connection: Connection, table: str) -> None:
    new = sql.Identifier(NEXT, table)
    comments = connection.execute(
        "select a.attname, d.description from pg_description as d"
        " left join pg_attribute as a on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0"
        " where d.objoid = to_regclass(%s) and d.classoid = 'pg_class'::regclass",
        (f"{CORE}.{quoted(table)}",),
    ).fetchall()
    statements = [
        sql.SQL("comment on table {} is {}").format(new, sql.Literal(text))
        if column is None
        else sql.SQL("comment on column {}.{} is {}").format(new, sql.Identifier(column), sql.Literal(text))
        for column, text in comments
    ]
    if statements:
        connection.execute(sql.SQL("; ").join(statements))


def wait_for_older_snapshots(connection: Connection, give_up: float) -> None:
    """Wait for transactions that began before now and could still look at tables with an old snapshot.

    To such a snapshot the rows of a new table do not exist, and the table would look empty. A publisher
    that may read all statistics sees which sessions hold a snapshot; otherwise every open transaction counts.
    """
    waiting = _open_snapshots(connection)
    while waiting:
        if time.monotonic() > give_up:
            raise PublishError(
                f"readers keep a snapshot from before: {describe(waiting.values())}",
                do="end those sessions or wait for them, then publish again; readers see the build before",
            )
        time.sleep(0.05)
        now = _open_snapshots(connection)
        waiting = {transaction: who for transaction, who in waiting.items() if transaction in now}


def _open_snapshots(connection: Connection) -> dict[str, tuple[int, str]]:
    return {
        transaction: (pid, login)
        for transaction, pid, login in connection.execute(
            "select l.virtualtransaction, l.pid, r.rolname::text from pg_locks as l"
            " join pg_stat_activity as a on a.pid = l.pid join pg_roles as r on r.oid = a.usesysid"
            " where l.locktype = 'virtualxid' and l.granted and l.pid <> pg_backend_pid()"
            " and a.datname = current_database()"
            " and (a.backend_xmin is not null or not pg_has_role('pg_read_all_stats', 'usage'))"
            # Nobody else's session can look at marts, or does.
            " and has_schema_privilege(a.usesysid, %s, 'usage') and r.rolname <> all (%s)",
            (MARTS, [role.login for role in (Role.LOADER, Role.TRANSFORMER, Role.PUBLISHER)]),
        )
    }
