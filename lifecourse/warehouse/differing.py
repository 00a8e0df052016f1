"""Rows that differ between `core` and `marts`: found, replaced, and put back."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from lifecourse.warehouse.public_table import (
    CORE,
    MARTS,
    UNDO,
    Connection,
    PublicTable,
    broken_key,
    columns_of,
    listed,
)


def collect_changed(connection: Connection, tables: Sequence[PublicTable]) -> None:
    """The keys whose rows this build may have changed, as the tables say (`changed_by`), each list once."""
    for column, listing in sorted({table.changed_by for table in tables if table.changed_by}):
        collected = sql.Identifier(_collected(listing))
        connection.execute(
            sql.SQL("create temporary table {} on commit drop as select distinct {} from {}").format(
                collected, sql.Identifier(column), sql.Identifier(CORE, listing)
            )
        )
        connection.execute(sql.SQL("analyze pg_temp.{}").format(collected))


def _collected(listing: str) -> str:
    return f"published_{listing}"


#: Columns of the table of differences besides those of the table compared; no model can have such names.
ROW_AT = sql.Identifier("#row at")
COPIES = sql.Identifier("#rows with this key")


def compare(connection: Connection, table: PublicTable, columns: Sequence[str], whole: bool) -> None:
    """Put into pg_temp.published_difference a row for each key that differs.

    ``#row at`` says where the row to delete lies in `marts` (null: there is none); the other columns are the row
    to insert (all null: there is none). Rows are compared byte by byte, so that 1.0 and 1.00 differ. A key
    that several rows of `core` share is among the differences, whatever they hold.
    """
    statement = sql.SQL(
        "create temporary table published_difference on commit drop as"
        " with was as ({was}), scope as ({scope}),"
        " now as (select {columns}, count(*) over (partition by {key}) as {copies} from scope)"
        " select was.{row_at}, now.{copies}, {now_columns} from was full join now on {same_key}"
        " where was.{first} is null or now.{first} is null or now.{copies} > 1"
        " or not pg_catalog.record_image_eq(row({was_columns}), row({now_columns}))"
    ).format(
        was=_scope(MARTS, table, columns, whole, sql.SQL("t.ctid as {}, ").format(ROW_AT)),
        scope=_scope(CORE, table, columns, whole, sql.SQL("")),
        columns=listed(columns),
        key=listed(table.primary_key),
        copies=COPIES,
        row_at=ROW_AT,
        now_columns=listed(columns, "now"),
        was_columns=listed(columns, "was"),
        same_key=sql.SQL(" and ").join(
            sql.SQL("was.{0} = now.{0}").format(sql.Identifier(name)) for name in table.primary_key
        ),
        first=sql.Identifier(table.primary_key[0]),
    )
    connection.execute(statement)


def _scope(
    schema: str, table: PublicTable, columns: Sequence[str], whole: bool, before: sql.Composable
) -> sql.Composed:
    """Rows a build may have changed: all of them, or those of the changed keys and of none."""
    place = sql.Identifier(schema, table.name)
    select = sql.SQL("select {}{} from {} as t").format(before, listed(columns, "t"), place)
    if whole or table.changed_by is None:
        return sql.Composed([select])
    column, listing = table.changed_by
    key = sql.Identifier(column)
    return sql.SQL(
        "{select} join pg_temp.{collected} as c on c.{key} = t.{key} union all {select} where t.{key} is null"
    ).format(select=select, collected=sql.Identifier(_collected(listing)), key=key)


def publish_rows(connection: Connection, table: PublicTable) -> tuple[int, int]:
    """Delete and insert the rows that differ, keep the undo, and return how many of each."""
    marts, undo = sql.Identifier(MARTS, table.name), sql.Identifier(UNDO, table.name)
    columns = [name for name, _ in columns_of(connection, CORE, table.name)]
    key = [sql.Identifier(name) for name in table.primary_key]
    compare(connection, table, columns, whole=False)
    difference = sql.SQL("pg_temp.published_difference")
    found = connection.execute(
        sql.SQL("select count(*), coalesce(max({}), 1) from {}").format(COPIES, difference)
    ).fetchone()
    assert found is not None
    if found[1] > 1:
        # Of two rows with one key, one would be taken for the other's new version.
        raise broken_key(table, "is not unique")
    gone = came = 0
    if found[0]:
        connection.execute(sql.SQL("analyze {}").format(difference))
        connection.execute(sql.SQL("create table {} (like {})").format(undo, marts))
        same_key = sql.SQL(" and ").join(sql.SQL("m.{0} = d.{0}").format(name) for name in key)
        # The second covers a row that moved here from a customer who is not among the changed.
        for match in (sql.SQL("m.ctid = d.{}").format(ROW_AT), same_key):
            gone += connection.execute(
                sql.SQL(
                    "with gone as (delete from {marts} as m using {difference} as d where {match} returning {columns})"
                    " insert into {undo} ({plain}) select {plain} from gone"
                ).format(
                    marts=marts,
                    difference=difference,
                    match=match,
                    columns=listed(columns, "m"),
                    undo=undo,
                    plain=listed(columns),
                )
            ).rowcount
        came = connection.execute(
            sql.SQL("insert into {} ({plain}) select {plain} from {} where {} is not null").format(
                marts, difference, key[0], plain=listed(columns)
            )
        ).rowcount
        connection.execute(
            sql.SQL("create table {} as select {} from {} where {} is not null").format(
                sql.Identifier(UNDO, f"{table.name}__inserted"), listed(table.primary_key), difference, key[0]
            )
        )
    connection.execute(sql.SQL("drop table {}").format(difference))
    return gone, came


def undo_rows(connection: Connection, table: str) -> None:
    inserted = f"{table}__inserted"
    key = [name for name, _ in columns_of(connection, UNDO, inserted)]
    if not key:
        return  # nothing differed
    columns = [name for name, _ in columns_of(connection, UNDO, table)]
    connection.execute(
        sql.SQL("delete from {} as m using {} as d where {}").format(
            sql.Identifier(MARTS, table),
            sql.Identifier(UNDO, inserted),
            sql.SQL(" and ").join(sql.SQL("m.{0} = d.{0}").format(sql.Identifier(name)) for name in key),
        )
    )
    connection.execute(
        sql.SQL("insert into {} ({columns}) select {columns} from {}").format(
            sql.Identifier(MARTS, table), sql.Identifier(UNDO, table), columns=listed(columns)
        )
    )
