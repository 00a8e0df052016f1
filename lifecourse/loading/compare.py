"""Hard deletes and rows that came later than the lag: counts and checksums first, keys only where they differ.

What the source holds (in its snapshot) is compared per range of keys with what the warehouse will hold once
the landed batch is merged. A row in quarantine counts as held: it is known, only not yet good enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg import sql

from lifecourse.loading import ddl
from lifecourse.privacy.marks import PSEUDONYM_PREFIX
from lifecourse.sources.base import Window
from lifecourse.sources.spec import SystemSpec, TableSpec
from lifecourse.sources.sql import PostgresReader, checksum, key_text, range_of


@dataclass
class Differences:
    """What the comparison found for one table."""

    rows_compared: int
    late_rows: Iterator[pa.RecordBatch]
    landing: str
    last_row: int
    key: tuple[str, ...]
    change_time: str | None
    relation: str

    def drop_known(self, connection: psycopg.Connection) -> int:
        """Of the rows read again, takes away those that are known already; how many that were."""
        landing = sql.Identifier("landing", self.landing)
        changed = sql.Identifier(self.change_time) if self.change_time else sql.SQL("null::timestamptz")
        on = sql.SQL(" and ").join(
            sql.SQL("again.{0} = known.{0}").format(sql.Identifier(name)) for name in self.key
        )
        dropped = connection.execute(
            sql.SQL(
                """
                delete from {landing} as again using (
                    select {key}, _changed_at from raw.{relation} where _deleted_at is null
                    union all
                    select {key}, _changed_at from quarantine.{relation} where _status in ('open', 'discarded')
                    union all
                    select {key}, {changed} from {landing} where _row <= {last}
                ) as known
                where again._row > {last} and {on} and again.{changed} is not distinct from known._changed_at
                """
            ).format(
                landing=landing,
                key=ddl.identifiers(self.key),
                relation=sql.Identifier(self.relation),
                changed=changed,
                last=sql.Literal(self.last_row),
                on=on,
            )
        )
        return dropped.rowcount


def find_differences(
    connection: psycopg.Connection,
    reader: PostgresReader,
    system: SystemSpec,
    table: TableSpec,
    landing: str,
    window: Window,
) -> Differences:
    """Compares; writes keys that have vanished to ``landing.<landing>__gone``; offers late rows for reading."""
    relation = ddl.relation(system, table)
    last_row = _scalar(
        connection, sql.SQL("select coalesce(max(_row), 0) from landing.{}").format(sql.Identifier(landing))
    )
    nothing = Differences(0, iter(()), landing, last_row, table.key, table.change_time, relation)
    if window.after is None:
        return nothing  # the first load has just read everything there is
    # Both sides reckon at the same time: they are two servers, or two processes of one.
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(lambda: list(reader.key_ranges(table)))
        here = _held_ranges(connection, table, relation, landing)
        there = {found.name: (found.count, found.checksum) for found in asked.result()}
    nothing.rows_compared = sum(count for count, _ in there.values())
    differing = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    if not differing:
        return nothing
    if _note_gone(connection, reader, table, relation, landing, differing, window):
        nothing.late_rows = reader.read_ranges(table, differing, window)
    return nothing


def _held(table: TableSpec, relation: str, landing: str) -> sql.Composable:
    """Keys and change times that the warehouse will hold after the merge; the landed version wins."""
    key = ddl.identifiers(table.key)
    changed = sql.Identifier(table.change_time) if table.change_time else sql.SQL("null::timestamptz")
    same = sql.SQL(" and ").join(
        sql.SQL("newer.{0} = older.{0}").format(sql.Identifier(name)) for name in table.key
    )
    # A row somebody has discarded is held as well, until the source has a newer version of it.
    return sql.SQL(
        """
        with aside as (
            select distinct on ({key}) {key}, _changed_at, _status from quarantine.{relation}
            where _status in ('open', 'discarded')
            order by {key}, _quarantine_id desc
        )
        select {key}, {changed} as _changed_at from landing.{landing}
        union all
        select {key}, _changed_at from aside as older
        where not exists (select from landing.{landing} as newer where {same})
            and not exists (
                select from raw.{relation} as newer
                where {same} and newer._deleted_at is null and newer._changed_at > older._changed_at
            )
        union all
        select {key}, _changed_at from raw.{relation} as older
        where _deleted_at is null
            -- What stays of an erased learner has a number that the source never knew.
            and not starts_with({first}::text, {erased})
            and not exists (select from landing.{landing} as newer where {same})
            and not exists (
                select from aside as newer
                where {same} and (newer._status = 'open' or newer._changed_at >= older._changed_at)
            )
        """
    ).format(
        key=key,
        changed=changed,
        landing=sql.Identifier(landing),
        relation=sql.Identifier(relation),
        same=same,
        first=sql.Identifier(table.key[0]),
        erased=sql.Literal(PSEUDONYM_PREFIX),
    )


def _held_ranges(
    connection: psycopg.Connection, table: TableSpec, relation: str, landing: str
) -> dict[str, tuple[int, int]]:
    key = key_text([sql.Identifier(name) for name in table.key])
    query = sql.SQL("select {range}, count(*), sum({checksum}) from ({held}) as held group by 1").format(
        range=range_of(key),
        checksum=checksum(key, sql.Identifier("_changed_at")),
        held=_held(table, relation, landing),
    )
    return {name: (count, int(total)) for name, count, total in connection.execute(query)}


def _note_gone(
    connection: psycopg.Connection,
    reader: PostgresReader,
    table: TableSpec,
    relation: str,
    landing: str,
    ranges: list[str],
    window: Window,
) -> bool:
    """Writes the vanished keys; whether there are rows that should have come and have not."""
    columns = ddl.landed_columns(table)
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(columns[name])) for name in table.key
    )
    connection.execute(
        sql.SQL("create temporary table present ({}, _changed_at timestamptz) on commit drop").format(
            definitions
        )
    )
    names = [*table.key, "_changed_at"]
    statement = sql.SQL("copy present ({}) from stdin").format(ddl.identifiers(names))
    with connection.cursor().copy(statement) as sink:
        for batch in reader.keys(table, ranges):
            for row in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
                sink.write_row(row)
    key = key_text([sql.Identifier("held", name) for name in table.key])
    same = sql.SQL(" and ").join(
        sql.SQL("present.{0} = held.{0}").format(sql.Identifier(name)) for name in table.key
    )
    connection.execute(
        sql.SQL(
            """
            create table landing.{gone} as
            select {key_columns} from ({held}) as held
            where {range} = any({ranges}) and not exists (select from present where {same})
            """
        ).format(
            gone=sql.Identifier(f"{landing}__gone"),
            key_columns=ddl.identifiers(table.key, "held"),
            held=_held(table, relation, landing),
            range=range_of(key),
            ranges=sql.Literal(ranges),
            same=same,
        )
    )
    late = _scalar(
        connection,
        sql.SQL(
            """
            select count(*) from present
            where (_changed_at <= {until} or _changed_at is null) and not exists (
                select from ({held}) as held
                where {same} and held._changed_at is not distinct from present._changed_at
            )
            """
        ).format(until=sql.Literal(window.until), held=_held(table, relation, landing), same=same),
    )
    connection.execute("drop table present")
    return late > 0


def _scalar(connection: psycopg.Connection, query: sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]
