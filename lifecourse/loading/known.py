"""What was known after a load: the canonical views over raw and raw_history as they stood then."""

from __future__ import annotations

from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.loading import ddl
from lifecourse.sources.spec import SystemSpec, load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse


def create_known_views(load_id: int, of: Warehouse | None = None) -> str:
    """Creates schema ``canonical_known_<load_id>`` with a view per canonical table; its name.

    A version held from the load that brought it until the load that superseded it. Of a row that failed a rule
    since, the good version is shown, as it was then. Raises `LifecourseError` for a load that never was.
    """
    schema = f"canonical_known_{load_id}"
    systems = load_systems()
    with (of or warehouse()).connect(Role.LOADER) as connection:
        known = connection.execute("select 1 from meta.batch where load_id = %s", (load_id,)).fetchone()
        if known is None:
            raise LifecourseError(
                f"no batch was merged as load {load_id}",
                "meta.batch",
                "`lifecourse load status --business-day DAY` lists the batches and their loads",
            )
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        connection.execute(
            sql.SQL("grant usage on schema {} to {}").format(
                sql.Identifier(schema), sql.Identifier(Role.TRANSFORMER.login)
            )
        )
        ddl.recreate_canonical_views(
            connection,
            systems,
            schema,
            lambda system, table: _version(system, table, load_id),
            lambda system, table: _versions(system, table, load_id),
        )
        connection.execute(
            sql.SQL("grant select on all tables in schema {} to {}").format(
                sql.Identifier(schema), sql.Identifier(Role.TRANSFORMER.login)
            )
        )
        connection.commit()
    return schema


def drop_known_views(load_id: int, of: Warehouse | None = None) -> None:
    """Drops what `create_known_views` made."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        connection.execute(
            sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(f"canonical_known_{load_id}"))
        )
        connection.commit()


def _version(system: SystemSpec, table: str, load_id: int) -> sql.Composable:
    """The rows of a raw table as they stood after the load."""
    described = system.table(table)
    relation = sql.Identifier(ddl.relation(system, described))
    columns = sql.SQL("{}, _load_id, _changed_at, _deleted_at, _is_stale").format(
        ddl.identifiers(list(ddl.landed_columns(described)))
    )
    return sql.SQL(
        "(select {columns} from raw.{relation} where _load_id <= {load}"
        " union all select {columns} from raw_history.{relation}"
        " where _load_id <= {load} and _superseded_by_load > {load})"
    ).format(columns=columns, relation=relation, load=sql.Literal(load_id))


def _versions(system: SystemSpec, table: str, load_id: int) -> sql.Composable:
    """Every version that had been loaded by then."""
    return sql.SQL("(select * from {every} as every_version where _load_id <= {load})").format(
        every=ddl.every_version(system, table), load=sql.Literal(load_id)
    )
