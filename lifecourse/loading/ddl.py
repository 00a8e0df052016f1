"""The tables a source table needs in landing, raw, raw_history and quarantine, and the canonical views."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.sources.base import CAST_ERROR
from lifecourse.sources.spec import SystemSpec, TableSpec
from lifecourse.warehouse.locks import LOCK_BUILD

#: Columns a file reader adds where a file has no key of its own.
FILE_KEY_TYPES = {"file_id": "bigint", "row_number": "bigint"}


def relation(system: SystemSpec, table: TableSpec) -> str:
    """Name of the table in raw, raw_history and quarantine."""
    return f"{system.system}__{table.name}"


def landed_columns(table: TableSpec) -> dict[str, str]:
    """Landed column -> Postgres type, in landed order."""
    columns = {name: column.postgres_type for name, column in table.columns.items()}
    for name, kind in FILE_KEY_TYPES.items():
        if name in table.key and name not in columns:
            columns[name] = kind
    return columns


def identifiers(names: list[str] | tuple[str, ...], prefix: str = "") -> sql.Composable:
    """``a, b`` or ``p.a, p.b``, quoted."""
    if prefix:
        return sql.SQL(", ").join(sql.Identifier(prefix, name) for name in names)
    return sql.SQL(", ").join(sql.Identifier(name) for name in names)


def create_landing(connection: psycopg.Connection, table: TableSpec, name: str) -> None:
    """``landing.<name>``; unlogged, since a crash only means pulling again (the merge counts the rows)."""
    connection.execute(
        sql.SQL(
            "create unlogged table landing.{name} ({columns}, {cast_error} text,"
            " _quarantine_id bigint, _row bigint generated always as identity) with (autovacuum_enabled = false)"
        ).format(
            name=sql.Identifier(name),
            columns=_definitions(landed_columns(table)),
            cast_error=sql.Identifier(CAST_ERROR),
        )
    )


def ensure_tables(connection: psycopg.Connection, system: SystemSpec) -> None:
    """Creates what is missing in raw, raw_history and quarantine for every table of the system.

    A column that the YAML has gained since is added (null for the rows loaded before); a column whose type
    differs stops with an error, since history would no longer mean one thing.
    """
    for table in system.tables:
        columns = landed_columns(table)
        name = relation(system, table)
        known = _existing(connection, "raw", name)
        if not known:
            _create(connection, table, name, columns)
            continue
        for column, kind in columns.items():
            if column not in known:
                for schema in ("raw", "raw_history", "quarantine"):
                    connection.execute(
                        sql.SQL("alter table {}.{} add column {} {}").format(
                            sql.Identifier(schema),
                            sql.Identifier(name),
                            sql.Identifier(column),
                            sql.SQL(kind),
                        )
                    )
            elif known[column] != _type_name(kind):
                raise LifecourseError(
                    f"column {column} is {known[column]} in raw and {kind} in the YAML",
                    f"{system.file}, table {table.name}",
                    "give the column back its type, or land it under a new name",
                )


def _create(connection: psycopg.Connection, table: TableSpec, name: str, columns: dict[str, str]) -> None:
    ident = sql.Identifier(name)
    definitions = _definitions(columns)
    loaded = sql.SQL(
        "_load_id bigint not null, _changed_at timestamptz, _deleted_at timestamptz,"
        " _is_stale boolean not null default false"
    )
    connection.execute(sql.SQL("create table raw.{} ({}, {})").format(ident, definitions, loaded))
    index_raw(connection, table, name)
    connection.execute(
        sql.SQL("create table raw_history.{} ({}, {}, _superseded_by_load bigint not null)").format(
            ident, definitions, loaded
        )
    )
    connection.execute(
        sql.SQL(
            """
            create table quarantine.{} (
                {}, {} text, _changed_at timestamptz,
                _quarantine_id bigint generated always as identity primary key,
                _identity text not null,
                _batch_id bigint not null, _first_seen_batch bigint not null,
                _rule text not null, _rules text[] not null,
                _status text not null default 'open'
                    check (_status in ('open', 'released', 'discarded', 'resolved')),
                _seen_at timestamptz not null default now(), _closed_at timestamptz
            )
            """
        ).format(ident, definitions, sql.Identifier(CAST_ERROR))
    )
    # One open row per key: a row that fails again replaces what was kept of it.
    connection.execute(
        sql.SQL("create unique index on quarantine.{} (_identity) where _status = 'open'").format(ident)
    )


def index_raw(connection: psycopg.Connection, table: TableSpec, name: str) -> None:
    """Primary key, and an index on each column by which a build looks up one customer's rows."""
    ident = sql.Identifier(name)
    connection.execute(
        sql.SQL("alter table raw.{} add primary key ({})").format(ident, identifiers(table.key))
    )
    for column in _looked_up_by(table):
        if (column,) != tuple(table.key):
            connection.execute(sql.SQL("create index on raw.{} ({})").format(ident, sql.Identifier(column)))


def drop_raw_indexes(connection: psycopg.Connection, name: str) -> None:
    """Takes the indexes off an empty raw table; `index_raw` puts them back after a first load."""
    rows = connection.execute(
        """
        select index.relname, constraint_.conname
        from pg_index
        join pg_class as index on index.oid = indexrelid
        left join pg_constraint as constraint_ on conindid = indexrelid and contype = 'p'
        where indrelid = to_regclass(%s)
        """,
        (f"raw.{name}",),
    ).fetchall()
    for index, constraint in rows:
        if constraint:
            connection.execute(
                sql.SQL("alter table raw.{} drop constraint {}").format(
                    sql.Identifier(name), sql.Identifier(constraint)
                )
            )
        else:
            connection.execute(sql.SQL("drop index raw.{}").format(sql.Identifier(index)))


#: Columns by which a build joins the rows of changed customers, where a table has them.
_CUSTOMER_LINKS = ("learner_id", "lead_id", "order_id", "lesson_id", "contact_id", "enrolment_id", "class_id")


def _looked_up_by(table: TableSpec) -> list[str]:
    named = list(table.touches.values()) if isinstance(table.touches, dict) else []
    if named:
        named += [column for column in _CUSTOMER_LINKS if column in table.columns and column not in named]
    return named


#: How a view reads a raw table: (system, table) -> something to select from.
RawTable = Callable[[SystemSpec, str], sql.Composable]


#: Canonical tables of whose rows every version is told, in ``<schema>.<one of them>_versions``: the attributes whose
#: changes have a history (dim_customer_history, dim_customer_profile_history). None of them is personal.
VERSION_COLUMNS = {
    "learners": (
        "learner_id",
        "campus_id",
        "grade",
        "school",
        "region",
        "status",
        "registered_at",
        "updated_at",
    ),
    "contacts": (
        "contact_id",
        "is_decision_maker",
        "income_band",
        "education",
        "occupation",
        "updated_at",
    ),
}


def _current(system: SystemSpec, table: str) -> sql.Composable:
    return sql.Identifier("raw", relation(system, system.table(table)))


def every_version(system: SystemSpec, table: str) -> sql.Composable:
    """All rows of a raw table, those that were superseded too: something to select from."""
    described = system.table(table)
    name = sql.Identifier(relation(system, described))
    columns = identifiers(list(landed_columns(described)))
    return sql.SQL(
        "(select {columns}, _load_id from raw.{name} union all select {columns}, _load_id from raw_history.{name})"
    ).format(columns=columns, name=name)


def recreate_canonical_views(
    connection: psycopg.Connection,
    systems: dict[str, SystemSpec],
    schema: str = "canonical",
    raw: RawTable = _current,
    versions: RawTable = every_version,
) -> None:
    """``<schema>.<table>`` for every contract table: live rows of all systems that map to it, else empty.

    Besides, ``<schema>.learner_versions`` and ``<schema>.contact_versions`` hold every version of the attributes in
    `VERSION_COLUMNS` that was ever loaded.
    `raw` gives the rows of a raw table (default: as they are now), `versions` all versions of them.
    """
    statements: list[sql.Composable] = []
    for name, table in contract.tables().items():
        parts = [
            _mapped(system, mapped, table, raw)
            for system in systems.values()
            for mapped in system.tables
            if mapped.maps_to == name
        ]
        parts += [_derived(system, table, raw) for system in systems.values() if name in system.derived]
        body = sql.SQL(" union all ").join(parts or [_empty(table)])
        view = sql.Identifier(schema, name)
        grain = sql.Literal(f"{table.grain[0].upper()}{table.grain[1:]}.")
        statements.append(sql.SQL("create or replace view {} as {}").format(view, body))
        statements.append(sql.SQL("comment on view {} is {}").format(view, grain))
        statements += [
            sql.SQL("comment on column {}.{} is {}").format(
                view, sql.Identifier(column), sql.Literal(spec.description)
            )
            for column, spec in table.columns.items()
        ]
    for name in VERSION_COLUMNS:
        statements += _versions_view(name, systems, schema, raw, versions)
    script = sql.SQL(";\n").join(statements)
    # Half a thousand statements, nearly always the same ones: a mark on the schema tells that they are done.
    mark = f"views {hashlib.sha256(script.as_string(connection).encode()).hexdigest()[:16]}"
    known = connection.execute(
        "select obj_description(oid, 'pg_namespace') from pg_namespace where nspname = %s", (schema,)
    ).fetchone()
    if known is None or known[0] != mark:
        _drop_outgrown(connection, schema)
        connection.execute(script)
        connection.execute(
            sql.SQL("comment on schema {} is {}").format(sql.Identifier(schema), sql.Literal(mark))
        )


def _versions_view(
    canonical: str, systems: dict[str, SystemSpec], schema: str, raw: RawTable, versions: RawTable
) -> list[sql.Composable]:
    """The view of versions. Of rows that are derived from several source tables only the last is known."""
    table = contract.tables()[canonical]
    wanted = VERSION_COLUMNS[canonical]
    thing = canonical.removesuffix("s")

    def picked(source: sql.Composable, names: Iterable[str]) -> sql.Composable:
        columns = [
            sql.SQL("{}::{} as {}").format(
                sql.Identifier(name) if name in names else sql.SQL("null"),
                sql.SQL(table.columns[name].postgres_type),
                sql.Identifier(name),
            )
            for name in wanted
        ]
        return sql.SQL("select {}, _load_id from {} as version").format(sql.SQL(", ").join(columns), source)

    parts = [
        picked(versions(system, mapped.name), mapped.columns)
        for system in systems.values()
        for mapped in system.tables
        if mapped.maps_to == canonical
    ]
    parts += [
        picked(sql.SQL("({})").format(_derived(system, table, raw)), wanted)
        for system in systems.values()
        if canonical in system.derived
    ]
    view = sql.Identifier(schema, f"{thing}_versions")
    body = sql.SQL(" union all ").join(parts or [picked(sql.SQL("({})").format(_empty(table)), wanted)])
    return [
        sql.SQL("create or replace view {} as {}").format(view, body),
        sql.SQL("comment on view {} is {}").format(
            view, sql.Literal(f"One row per version of a {thing} that was loaded.")
        ),
    ]


def _drop_outgrown(connection: psycopg.Connection, schema: str) -> None:
    """Drop the views whose columns are no longer the first of the contract's: they cannot be replaced in place.

    The staging views upon them go too; a build makes again those that are not there.
    """
    there: dict[str, list[str]] = {}
    for view, column in connection.execute(
        "select c.relname::text, a.attname::text from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'v' and a.attnum > 0 order by c.relname, a.attnum",
        (schema,),
    ):
        there.setdefault(view, []).append(column)
    for name, table in contract.tables().items():
        wanted = [*table.columns, "_system", "_load_id", "_is_stale"]
        if name in there and there[name] != wanted[: len(there[name])]:
            # A build that runs reads the staging views upon it.
            connection.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK_BUILD,))
            connection.execute(sql.SQL("drop view {} cascade").format(sql.Identifier(schema, name)))


def _mapped(system: SystemSpec, mapped: TableSpec, table: contract.Table, raw: RawTable) -> sql.Composable:
    columns = [
        sql.SQL("{}::{} as {}").format(
            sql.Identifier(name) if name in mapped.columns else sql.SQL("null"),
            sql.SQL(column.postgres_type),
            sql.Identifier(name),
        )
        for name, column in table.columns.items()
    ]
    return sql.SQL(
        "select {columns}, {system}::text as _system, _load_id, _is_stale from {raw} as raw where _deleted_at is null"
    ).format(
        columns=sql.SQL(", ").join(columns),
        system=sql.Literal(system.system),
        raw=raw(system, mapped.name),
    )


def _derived(system: SystemSpec, table: contract.Table, raw: RawTable) -> sql.Composable:
    path = system.file.parent / system.derived[table.name].sql
    query = _read_sql(path, system, raw)
    columns = [
        sql.SQL("derived.{}::{} as {}").format(
            sql.Identifier(name), sql.SQL(column.postgres_type), sql.Identifier(name)
        )
        for name, column in table.columns.items()
    ]
    return sql.SQL(
        "select {}, {}::text as _system, derived._load_id::bigint as _load_id, false as _is_stale from ({}) as derived"
    ).format(sql.SQL(", ").join(columns), sql.Literal(system.system), query)


def _read_sql(path: Path, system: SystemSpec, raw: RawTable) -> sql.Composable:
    """The file's query with ``{table}`` replaced by the live rows of that raw table, ``{timezone}`` by the system's."""
    try:
        text = path.read_text(encoding="utf-8").strip().rstrip(";")
    except FileNotFoundError:
        raise LifecourseError(
            f"the SQL file {path.name} is missing",
            str(system.file),
            "add it beside the YAML or mend `derived`",
        ) from None
    parts: list[sql.Composable] = []
    for piece in re.split(r"(\{\w+\})", text):
        name = piece[1:-1] if piece.startswith("{") else ""
        if name in system.table_names:
            parts.append(
                sql.SQL("(select * from {} as raw where _deleted_at is null)").format(raw(system, name))
            )
        elif name == "timezone":
            parts.append(sql.Literal(system.timezone or settings().timezone))
        else:
            parts.append(sql.SQL(piece))
    return sql.Composed(parts)


def _empty(table: contract.Table) -> sql.Composable:
    columns = [
        sql.SQL("null::{} as {}").format(sql.SQL(column.postgres_type), sql.Identifier(name))
        for name, column in table.columns.items()
    ]
    return sql.SQL(
        "select {}, null::text as _system, null::bigint as _load_id, null::boolean as _is_stale where false"
    ).format(sql.SQL(", ").join(columns))


def _definitions(columns: dict[str, str]) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
    )


def _existing(connection: psycopg.Connection, schema: str, name: str) -> dict[str, str]:
    rows = connection.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        """,
        (f"{schema}.{name}",),
    ).fetchall()
    return dict(rows)


def _type_name(kind: str) -> str:
    """The name `format_type` gives a type that we write in short."""
    names = {"timestamptz": "timestamp with time zone"}
    return names.get(kind, kind)
