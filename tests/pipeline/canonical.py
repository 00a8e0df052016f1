"""Canonical tables made by hand: what the loader leaves behind, without a loader or a source."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from psycopg import sql

from lifecourse import contract
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse

#: Filled into required columns that a row leaves out.
DEFAULTS: dict[str, Any] = {
    "text": "x",
    "date": date(2025, 1, 1),
    "timestamptz": datetime(2025, 1, 1, tzinfo=UTC),
    "integer": 0,
    "bigint": 0,
    "boolean": False,
    "numeric": 0,
    "money": 0,
    "hours": 0,
}


class Canonical:
    """The canonical tables of one warehouse, as tables that tests write; touches are noted as the loader does."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.load_id = 0
        with warehouse.connect(Role.LOADER) as connection:
            for table in contract.tables().values():
                columns = ", ".join(
                    f"{name} {column.postgres_type}" for name, column in table.columns.items()
                )
                connection.execute(
                    sql.SQL(
                        f"create table canonical.{table.name} ({columns}, _system text not null default 'hand',"
                        f" _load_id bigint not null, _is_stale boolean not null default false,"
                        f" primary key ({', '.join(table.key)}))"
                    )
                )

    def load(
        self, rows: dict[str, list[dict[str, Any]]] | None = None, gone: dict[str, list[str]] | None = None
    ) -> int:
        """A load for each table: rows written over those with the same key, and keys (of one column) taken away."""
        with self.warehouse.connect(Role.LOADER) as connection:
            for name, new_rows in (rows or {}).items():
                table = contract.table(name)
                self._new_load(connection, name, len(new_rows))
                for row in new_rows:
                    filled = {
                        column: row.get(column, DEFAULTS.get(spec.type) if spec.required else None)
                        for column, spec in table.columns.items()
                    }
                    assert set(row) <= set(table.columns), set(row) - set(table.columns)
                    self._remove(connection, table, str(row[table.key[0]]))
                    self._touch(connection, table, filled)
                    connection.execute(
                        sql.SQL("insert into canonical.{} ({}, _load_id) values ({}, {})").format(
                            sql.Identifier(name),
                            sql.SQL(", ").join(map(sql.Identifier, filled)),
                            sql.SQL(", ").join(map(sql.Placeholder, filled)),
                            sql.Literal(self.load_id),
                        ),
                        filled,
                    )
            for name, keys in (gone or {}).items():
                self._new_load(connection, name, 0, len(keys))
                for key in keys:
                    assert self._remove(connection, contract.table(name), key), f"{name} {key} is not there"
        return self.load_id

    def _new_load(self, connection: Any, name: str, rows: int, deleted: int = 0) -> None:
        """The next load, and the batch behind it if a connected system has such a table."""
        self.load_id += 1
        for system, spec in load_systems().items():
            for source in spec.tables:
                if source.maps_to == name:
                    connection.execute(
                        "insert into meta.batch (system, source_table, business_day, window_to, status, load_id,"
                        " rows_read, rows_inserted, rows_updated, rows_unchanged, rows_quarantined, rows_deleted)"
                        " values (%s, %s, '2026-01-01', now(), 'merged', %s, %s, %s, 0, 0, 0, %s)",
                        (system, source.name, self.load_id, rows, rows, deleted),
                    )
                    return

    def _remove(self, connection: Any, table: contract.Table, key: str) -> bool:
        (column,) = table.key
        cursor = connection.execute(
            sql.SQL("delete from canonical.{} where {} = %s returning *").format(
                sql.Identifier(table.name), sql.Identifier(column)
            ),
            (key,),
        )
        row = cursor.fetchone()
        if row is None:
            return False
        self._touch(
            connection, table, dict(zip([each.name for each in cursor.description], row, strict=True))
        )
        return True

    def _touch(self, connection: Any, table: contract.Table, row: dict[str, Any]) -> None:
        touches = {"all": table.key[0]} if table.touches == "all" else table.touches or {}
        for kind, column in touches.items():
            if row[column] is not None:
                connection.execute(
                    "insert into meta.touched values (%s, %s, %s)",
                    (self.load_id, kind, "*" if kind == "all" else row[column]),
                )

    def deliver(self, day: date) -> None:
        """Note that every system has delivered the day, and the batches behind it."""
        with self.warehouse.connect(Role.LOADER) as connection:
            for system in load_systems():
                connection.execute(
                    "insert into meta.delivery values (%s, %s, now(), now(), %s) on conflict do nothing",
                    (system, day, self.load_id),
                )


def snapshot(warehouse: Warehouse, schema: str) -> dict[str, list[str]]:
    """Every row, as text and in order, of every table of a build: facts, dimensions, spans, what is due."""
    with warehouse.connect(Role.ADMIN) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind = 'r'"
                " and relname ~ '^(fct_|dim_|mart_|customer_due|lead_due|lifecycle_due|care_due)' order by relname",
                (schema,),
            )
        ]
        return {
            name: [
                row
                for (row,) in connection.execute(
                    sql.SQL("select t::text from {} as t order by t::text collate {}").format(
                        sql.Identifier(schema, name), sql.Identifier("C")
                    )
                )
            ]
            for name in names
        }
