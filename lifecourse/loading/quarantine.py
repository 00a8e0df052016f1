"""Quarantine by hand: list, release, discard. What is shown are keys and rules, never other values."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.loading import ddl
from lifecourse.loading.pull import find_system
from lifecourse.sources.sql import key_text
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD


@dataclass(frozen=True)
class Quarantined:
    """Quarantined rows of one table and rule."""

    relation: str
    rule: str
    status: str
    rows: int
    first_batch: int
    last_seen: datetime


def by_rule(
    system: str | None = None, with_closed: bool = False, of: Warehouse | None = None
) -> list[Quarantined]:
    """Rows per table, rule and status; only open ones unless `with_closed`."""
    found = []
    with (of or warehouse()).connect(Role.LOADER) as connection:
        tables = connection.execute(
            "select relname from pg_class where relnamespace = 'quarantine'::regnamespace and relkind = 'r' order by 1"
        ).fetchall()
        for (name,) in tables:
            if system and not name.startswith(f"{system}__"):
                continue
            query = sql.SQL(
                """
                select _rule, _status, count(*), min(_first_seen_batch), max(_seen_at) from quarantine.{}
                where _status = 'open' or {} group by 1, 2 order by 3 desc
                """
            ).format(sql.Identifier(name), sql.Literal(with_closed))
            found += [Quarantined(name, *row) for row in connection.execute(query)]
    return found


def open_keys(
    system: str, table: str, limit: int, of: Warehouse | None = None
) -> list[tuple[str, list[str], int]]:
    """Key (columns joined by ``|``), rules and batch of a table's open rows."""
    spec = find_system(system)
    described = spec.table(table)
    query = sql.SQL(
        "select coalesce({}, '(no key)'), _rules, _batch_id from quarantine.{} where _status = 'open' order by 1 limit {}"
    ).format(
        key_text([sql.Identifier(name) for name in described.key]),
        sql.Identifier(ddl.relation(spec, described)),
        sql.Literal(limit),
    )
    with (of or warehouse()).connect(Role.LOADER) as connection:
        return connection.execute(query).fetchall()


def discard(system: str, table: str, keys: list[str], of: Warehouse | None = None) -> int:
    """Closes the open rows with these keys; how many. `LifecourseError` for a key that is not there."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        closed = connection.execute(
            sql.SQL(
                "update quarantine.{} set _status = 'discarded', _closed_at = clock_timestamp()"
                " where _status = 'open' and _identity = any({})"
            ).format(_relation(system, table), sql.Literal([f"k:{key}" for key in keys]))
        ).rowcount
        _expect(closed, keys, system, table)
        _record(connection, system, table, "discarded", keys)
        connection.commit()
        return closed


def release(system: str, table: str, keys: list[str], of: Warehouse | None = None) -> int:
    """Merges the open rows with these keys although they break a rule; how many.

    A row whose cast failed cannot be released: what it should hold is not known.
    """
    spec = find_system(system)
    described = spec.table(table)
    columns = list(ddl.landed_columns(described))
    wanted = sql.Literal([f"k:{key}" for key in keys])
    relation = _relation(system, table)
    changed = sql.Identifier(described.change_time) if described.change_time else sql.SQL("null::timestamptz")
    with (of or warehouse()).connect(Role.LOADER) as connection:
        connection.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK_BUILD,))
        broken = connection.execute(
            sql.SQL(
                "select 1 from quarantine.{} where _identity = any({}) and _status = 'open' and 'cast_failed' = any(_rules)"
            ).format(relation, wanted)
        ).fetchone()
        if broken:
            raise LifecourseError(
                "a value of a row could not be read",
                f"{system}.{table}",
                "correct the row in the source system",
            )
        row = connection.execute("select nextval('meta.load_id')").fetchone()
        assert row is not None
        load = sql.Literal(row[0])
        merged = connection.execute(
            sql.SQL(
                """
                insert into raw.{relation} ({columns}, _load_id, _changed_at)
                select {columns}, {load}, {changed} from quarantine.{relation}
                where _status = 'open' and _identity = any({wanted})
                on conflict ({key}) do update set ({columns}, _load_id, _changed_at, _deleted_at, _is_stale)
                    = ({excluded}, excluded._load_id, excluded._changed_at, null, false)
                """
            ).format(
                relation=relation,
                columns=ddl.identifiers(columns),
                excluded=ddl.identifiers(columns, "excluded"),
                load=load,
                changed=changed,
                wanted=wanted,
                key=ddl.identifiers(described.key),
            )
        ).rowcount
        _expect(merged, keys, system, table)
        for kind, column in described.touches.items() if isinstance(described.touches, dict) else ():
            connection.execute(
                sql.SQL(
                    "insert into meta.touched select distinct {}, {}, {} from quarantine.{} where _identity = any({})"
                    " and _status = 'open' and {} is not null"
                ).format(
                    load, sql.Literal(kind), sql.Identifier(column), relation, wanted, sql.Identifier(column)
                )
            )
        connection.execute(
            sql.SQL(
                "update quarantine.{} set _status = 'released', _closed_at = clock_timestamp()"
                " where _status = 'open' and _identity = any({})"
            ).format(relation, wanted)
        )
        _record(connection, system, table, "released", keys)
        connection.commit()
        return merged


def _relation(system: str, table: str) -> sql.Identifier:
    spec = find_system(system)
    return sql.Identifier(ddl.relation(spec, spec.table(table)))


def _expect(found: int, keys: list[str], system: str, table: str) -> None:
    if found != len(set(keys)):
        raise LifecourseError(
            f"{len(set(keys))} keys were named and {found} of them are in quarantine",
            f"{system}.{table}",
            f"`lifecourse load keys {system} {table}` lists them; nothing was changed",
        )


def _record(connection, system: str, table: str, action: str, keys: list[str]) -> None:  # type: ignore[no-untyped-def]
    connection.execute(
        "insert into meta.manual_action (action, system, source_table, keys, done_by) values (%s, %s, %s, %s, %s)",
        (action, system, table, keys, getpass.getuser()),
    )
