"""What the loader needs done to it now and then."""

from __future__ import annotations

import getpass
from datetime import date, datetime
from typing import Any

from psycopg import sql

from lifecourse.loading.pull import find_system
from lifecourse.settings import settings
from lifecourse.sources.registry import open_reader
from lifecourse.warehouse.connection import Role, Warehouse, warehouse


def reset_watermark(system: str, table: str, to: datetime | None = None, of: Warehouse | None = None) -> None:
    """Sets the table's watermark back to an instant, or takes it away so that everything is read."""
    find_system(system).table(table)
    if to is not None and to.tzinfo is None:
        to = to.replace(tzinfo=settings().zone)
    with (of or warehouse()).connect(Role.LOADER) as connection:
        if to is None:
            connection.execute(
                "delete from meta.watermark where (system, source_table) = (%s, %s)", (system, table)
            )
        else:
            connection.execute(
                "update meta.watermark set pulled_to = least(pulled_to, %s) where (system, source_table) = (%s, %s)",
                (to, system, table),
            )
        connection.execute(
            "insert into meta.manual_action (action, system, source_table, done_by) values ('watermark', %s, %s, %s)",
            (system, table, getpass.getuser()),
        )
        connection.commit()


def accept_columns(system: str, table: str, of: Warehouse | None = None) -> list[tuple[str, str]]:
    """Takes the source table's columns as they are now; the columns and their types."""
    spec = find_system(system)
    with open_reader(spec) as reader:
        columns = [(column.name, column.type) for column in reader.columns(spec.table(table))]
    with (of or warehouse()).connect(Role.LOADER) as connection:
        connection.execute(
            "delete from meta.source_column where (system, source_table) = (%s, %s)", (system, table)
        )
        for name, kind in columns:
            connection.execute(
                "insert into meta.source_column values (%s, %s, %s, %s)", (system, table, name, kind)
            )
        connection.commit()
    return columns


def drop_orphans(of: Warehouse | None = None) -> int:
    """Drops landing tables whose batch is not waiting to be merged; how many."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        names = connection.execute(
            """
            select relname from pg_class
            where relnamespace = 'landing'::regnamespace and relkind = 'r'
                and not exists (
                    select from meta.batch
                    where status in ('landing', 'landed') and 'b' || batch_id = split_part(relname, '__', 1)
                )
            """
        ).fetchall()
        for (name,) in names:
            connection.execute(sql.SQL("drop table landing.{}").format(sql.Identifier(name)))
        connection.commit()
    return len(names)


def batches(business_day: date | None = None, of: Warehouse | None = None) -> list[tuple[Any, ...]]:
    """Batches of a day, or the last of every table: id, table, day, status, counts, error."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        return connection.execute(
            """
            select batch_id, system || '.' || source_table, business_day, status, rows_read, rows_inserted,
                rows_updated, rows_unchanged, rows_quarantined, rows_compared, error
            from (
                select *, row_number() over (partition by system, source_table, unit order by batch_id desc) as place
                from meta.batch where business_day = coalesce(%(day)s, business_day)
            ) as ranked
            where %(day)s::date is not null or place = 1
            order by system, source_table, batch_id
            """,
            {"day": business_day},
        ).fetchall()
