"""What stands in a warehouse: its rows table by table, to be compared, and where a value is to be found in it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse

#: What differs from run to run and says nothing about the rows.
NUMBERS_OF_RUNS = (
    "_load_id", "_superseded_by_load", "_batch_id", "_first_seen_batch", "_quarantine_id", "_seen_at", "_closed_at",
    "build_id", "published_at", "publication_id", "last_load_id",
)  # fmt: skip


def contents(warehouse: Warehouse) -> dict[str, str]:
    """Table -> a hash of its rows: raw, raw_history, quarantine (with the marks of personal values for their tokens,
    which are drawn by chance), and marts.

    The mark, not the value: of two spellings of one value the vault keeps the one that came first, and which of two
    systems comes first is chance.
    """
    personal = {
        f"{system.system}__{table.name}": [column.name for column in table.personal_columns]
        for system in load_systems().values()
        for table in system.tables
    }
    found = {}
    with warehouse.connect(Role.ADMIN) as connection:
        tables = connection.execute(
            """
            select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
            where nspname in ('raw', 'raw_history', 'quarantine', 'marts') and relkind = 'r'
                and relname <> 'publication'
            order by 1, 2
            """
        ).fetchall()
        for schema, table in tables:
            row = sql.SQL("to_jsonb(held) - {}::text[]").format(sql.Literal(list(NUMBERS_OF_RUNS)))
            for column in personal.get(table, []):
                value = sql.SQL("(select encode(hmac, 'hex') from vault.token where token = held.{})").format(
                    sql.Identifier(column)
                )
                row = sql.SQL("{} || jsonb_build_object({}, {})").format(row, sql.Literal(column), value)
            query = sql.SQL(
                "select count(*), md5(coalesce(string_agg(hash, '' order by hash), ''))"
                " from (select md5(({})::text) as hash from {} as held) as hashes"
            ).format(row, sql.Identifier(schema, table))
            rows = connection.execute(query).fetchone()
            assert rows is not None
            found[f"{schema}.{table}"] = f"{rows[0]} rows, {rows[1]}"
    return found


def differing(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Tables whose contents are not the same, with both."""
    return {
        name: (one.get(name), other.get(name)) for name in one | other if one.get(name) != other.get(name)
    }


def tables_with(warehouse: Warehouse, values: Iterable[str], database: str | None = None) -> set[str]:
    """Tables in which one of the values stands, in whatever column (views show what tables hold)."""
    pattern = "|".join(sorted(map(re.escape, _ways(values))))
    url = warehouse.url(Role.ADMIN, database) if database else warehouse.url(Role.ADMIN)
    found = set()
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            """
            select nspname, relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace
            where relkind in ('r', 'm') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            """
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("select 1 from {} as held where held::text ~ {} limit 1").format(
                sql.Identifier(schema, table), sql.Literal(pattern)
            )
            if connection.execute(query).fetchone():
                found.add(f"{schema}.{table}")
    return found


def files_with(folder: Path, values: Iterable[str], leave_out: Iterable[str] = ()) -> set[str]:
    """Files below a folder that hold one of the values; `leave_out` names folders that are not looked at.

    Looks into zip files, and for values in UTF-8 and in GB 18030 (bills).
    """
    encoded = {way.encode(encoding) for way in _ways(values) for encoding in ("utf-8", "gb18030")}
    looked_for = re.compile(b"|".join(sorted(map(re.escape, encoded))))
    left_out = [folder / each for each in leave_out]
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
        and not any(path.is_relative_to(each) for each in left_out)
        and any(looked_for.search(content) for content in _contents(path))
    }


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from map(archive.read, archive.infolist())


def _ways(values: Iterable[str]) -> set[str]:
    """Values as they are, and as escaped text (JSON, `repr`) writes them."""
    ways = {way for value in values if value for way in (value, value.encode("unicode_escape").decode())}
    assert ways, "nothing to look for: an empty pattern is found everywhere"
    return ways
