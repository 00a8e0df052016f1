"""The swap: tables leave `marts` and others come in, and no reader fails of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from lifecourse.warehouse.public_table import (
    LOCK_MILLISECONDS,
    MARTS,
    NEXT,
    PREVIOUS,
    Connection,
    PublishError,
    describe,
    drop_tables,
    holders,
    tables_in,
)

#: From the first lock of a swap to its last wait; see LOCK_MILLISECONDS.
SWAP_SECONDS = 0.8
#: Swaps that failed because of views over our tables before those views are left behind.
ATTEMPTS_WITH_VIEWS = 5


def swap(
    connection: Connection,
    leaving: Sequence[str],
    coming: Sequence[str],
    give_up: float,
    coming_from: str = NEXT,
    leaving_to: str = PREVIOUS,
) -> list[str]:
    """Move tables out of and into `marts`; return the views of others that stay with the old tables.

    Must be called inside a transaction. Waits for readers in short attempts, each of which gives back every
    lock it got; the tables in `leaving_to` from before are dropped.
    """
    views = _views_over(connection, leaving) if leaving else []
    attempt = 0
    pause = 0.1
    while True:
        attempt += 1
        with_views = attempt <= ATTEMPTS_WITH_VIEWS
        try:
            with connection.transaction():
                return _swap_once(
                    connection, leaving, coming, coming_from, leaving_to, views if with_views else []
                ) + ([] if with_views else [view.label for view in views])
        except _RETRIED:
            if time.monotonic() > give_up:
                raise PublishError(
                    f"readers hold the tables: {describe(holders(connection, MARTS, leaving))}",
                    do="end those sessions or wait for them, then publish again; readers see the build before",
                ) from None
            time.sleep(pause)
            pause = min(pause * 1.3, 3.0)


class _TooSlow(Exception):
    """The locks are held for so long that readers might be taken for deadlocked."""


_RETRIED = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.DeadlockDetected,
    _TooSlow,
)


@dataclass(frozen=True)
class _View:
    schema: str
    name: str
    owner: str
    definition: str | None  # null: a materialised view, which cannot be defined again in place
    #: Such as security_invoker=true, without which a view shows what its owner may see.
    options: Sequence[str] = ()

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.name}"


def _swap_once(
    connection: Connection,
    leaving: Sequence[str],
    coming: Sequence[str],
    coming_from: str,
    leaving_to: str,
    views: Sequence[_View],
) -> list[str]:
    dropped = tables_in(connection, leaving_to)
    tables = [
        *((MARTS, name) for name in leaving),
        # Out of sight, but a session may come for these by a plan it kept or a view that was left behind.
        *((coming_from, name) for name in coming),
        *((leaving_to, name) for name in dropped),
    ]
    deadline = time.monotonic() + SWAP_SECONDS
    if tables:
        # First those that readers hold: while we wait for these, we hold nothing the same readers may want next.
        held = {name for _, _, name in holders(connection, MARTS, leaving)}
        tables.sort(key=lambda table: (table[0] != MARTS, table[1] not in held, table[1]))
        connection.execute(f"set local statement_timeout = {LOCK_MILLISECONDS}")
        connection.execute(
            sql.SQL("lock table {} in access exclusive mode").format(
                sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
            )
        )
        connection.execute("set local statement_timeout = 0")
    connection.execute(f"set local lock_timeout = {_left(deadline)}")
    drop_tables(connection, leaving_to, dropped)
    moves = [
        *(_move(MARTS, name, leaving_to) for name in leaving),
        *(_move(coming_from, name, MARTS) for name in coming),
    ]
    if moves:
        # One message: what remains is not slowed down by going back and forth.
        connection.execute(sql.SQL("; ").join(moves))
    connection.execute("set local lock_timeout = 0")
    return [view.label for view in views if not _repoint(connection, view, deadline)]


def _left(deadline: float) -> int:
    """Milliseconds until then; raises _TooSlow when it is hardly worth it."""
    left = int((deadline - time.monotonic()) * 1000)
    if left < 50:
        raise _TooSlow
    return left


def _move(from_schema: str, table: str, to_schema: str) -> sql.Composed:
    return sql.SQL("alter table {} set schema {}").format(
        sql.Identifier(from_schema, table), sql.Identifier(to_schema)
    )


def _views_over(connection: Connection, tables: Sequence[str]) -> list[_View]:
    """Views in other schemas that read our tables: they hold on to a table, not to its name."""
    return [
        _View(*row)
        for row in connection.execute(
            "select distinct n.nspname, v.relname, r.rolname, case v.relkind when 'v' then pg_get_viewdef(v.oid) end,"
            " coalesce(v.reloptions, '{}')"
            " from pg_depend as d join pg_rewrite as w on w.oid = d.objid and d.classid = 'pg_rewrite'::regclass"
            " join pg_class as v on v.oid = w.ev_class join pg_namespace as n on n.oid = v.relnamespace"
            " join pg_roles as r on r.oid = v.relowner join pg_class as t on t.oid = d.refobjid"
            " where d.refclassid = 'pg_class'::regclass and v.relkind in ('v', 'm')"
            " and t.relnamespace = %s::regnamespace and t.relname = any(%s) order by 1, 2",
            (MARTS, list(tables)),
        )
    ]


def _repoint(connection: Connection, view: _View, deadline: float) -> bool:
    """Define a view again, so that it reads the new table; false when it does not fit or is not ours to touch."""
    if view.definition is None:
        return False
    row = connection.execute("select pg_has_role(%s, 'member')", (view.owner,)).fetchone()
    if not (row and row[0]):
        return False
    left = _left(deadline)
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = {left}")
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(view.owner)))
            connection.execute(
                sql.SQL("create or replace view {}{} as {}").format(
                    sql.Identifier(view.schema, view.name),
                    # Names and values as the catalogue has them.
                    sql.SQL(f" with ({', '.join(view.options)})" if view.options else ""),
                    sql.SQL(view.definition),
                )
            )
            connection.execute("reset role")
            connection.execute("set local lock_timeout = 0")
        return True
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error:
        return False
