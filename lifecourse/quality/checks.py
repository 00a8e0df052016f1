"""What the audit asks of a candidate besides its facts: freshness, counts against `meta`, volume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.sources.spec import SystemSpec


@dataclass(frozen=True)
class Build:
    """What the audit needs to know of a row of `meta.build`."""

    build_id: str
    as_of: date
    kind: str
    schema: str
    last_load_id: int
    known_at_load: int | None

    @property
    def is_whole(self) -> bool:
        """Whether everything is audited and not only what this build recomputed."""
        return self.kind == "full" or self.as_of.isoweekday() == 7

    @property
    def is_candidate(self) -> bool:
        """Whether it is going to replace what is published; the rebuild of an old day is not."""
        return self.schema == "core"


@dataclass(frozen=True)
class Check:
    """A check to run: its query returns one row of observed (text), expected (text) and success (boolean)."""

    suite: str
    rule: str
    title: str
    query: str
    do: str


@dataclass(frozen=True)
class Bounds:
    """How much of its rows a table may lose, by default and by table; smaller ones are not judged."""

    max_drop: float
    of_table: Mapping[str, float]
    min_rows: int

    def of(self, table: str) -> float:
        return self.of_table.get(table, self.max_drop)


def freshness(build: Build, systems: Mapping[str, SystemSpec]) -> Iterable[Check]:
    """Every system that holds a build up has delivered its day, and the build holds what it delivered."""
    for name, system in systems.items():
        if not system.holds_build:
            continue
        loads_up_to = build.last_load_id if build.known_at_load is None else "infinity"
        yield Check(
            "freshness",
            f"delivered_{name}",
            f"{name} has delivered the day of the build, and the build holds what it delivered",
            f"""
            select
                coalesce(
                    'delivered with load ' || min(last_load_id) filter (
                        where business_day >= {literal(build.as_of)}
                    ),
                    'delivered up to ' || max(business_day),
                    'never delivered'
                ),
                'delivered for {build.as_of} or later with a load up to {loads_up_to}',
                coalesce(
                    bool_or(
                        business_day >= {literal(build.as_of)}
                        and last_load_id <= '{loads_up_to}'::double precision
                    ),
                    false
                )
            from meta.delivery
            where system = {literal(name)}
            """,
            f"Pull {name} for {build.as_of} and build again; meta.delivery tells what is missing.",
        )


def batches(build: Build) -> Iterable[Check]:
    """Of every merged batch: what was read is what was merged, left as it was or quarantined."""
    yield Check(
        "counts",
        "batches_add_up",
        "of every merged batch: rows read = inserted + updated + unchanged + quarantined",
        f"""
        select
            count(*) filter (where not adds_up) || ' of ' || count(*) || ' batches do not add up',
            'none',
            coalesce(bool_and(adds_up), true)
        from (
            select
                rows_read = rows_inserted + rows_updated + rows_unchanged + rows_quarantined + rows_suppressed
                    as adds_up
            from meta.batch
            where status = 'merged' and load_id <= {build.last_load_id}
        ) as batch
        """,
        "Look for the batch in meta.batch and load its table again from the source.",
    )


def versions(connection: psycopg.Connection[Any], systems: Mapping[str, SystemSpec]) -> list[Check]:
    """Nothing is lost in `raw`: every version that `meta` says was merged is there, current or superseded.

    A released row is merged as a version, or is not where a newer one is there already: hence the range.
    """
    tables = {
        (schema, name)
        for schema, name in connection.execute(
            "select schemaname, tablename from pg_tables where schemaname in ('raw', 'raw_history')"
        ).fetchall()
    }
    checks = []
    for system in systems.values():
        for table in system.tables:
            relation = f"{system.system}__{table.name}"
            if ("raw", relation) not in tables or ("raw_history", relation) not in tables:
                continue
            checks.append(
                Check(
                    "counts",
                    f"versions_{relation}",
                    f"raw.{relation} and its history hold every version that was merged",
                    f"""
                    select
                        (current.versions + superseded.versions + removed.versions) || ' versions',
                        batch.versions || ' to ' || (batch.versions + batch.released) || ' versions',
                        current.versions + superseded.versions + removed.versions
                            between batch.versions and batch.versions + batch.released
                    from
                        (select count(*) as versions from raw."{relation}") as current,
                        (select count(*) as versions from raw_history."{relation}") as superseded,
                        (
                            select
                                coalesce(sum(rows_inserted + rows_updated + coalesce(rows_deleted, 0)), 0)
                                    ::bigint as versions,
                                coalesce(sum(rows_released), 0)::bigint as released
                            from meta.batch
                            where
                                status = 'merged'
                                and system = {literal(system.system)}
                                and source_table = {literal(table.name)}
                        ) as batch,
                        (
                            -- Erased, or past their time.
                            select coalesce(sum(versions), 0)::bigint as versions
                            from meta.removed_version
                            where
                                system = {literal(system.system)}
                                and source_table = {literal(table.name)}
                        ) as removed
                    """,
                    "Rows are missing or were written past the loader: load the table again from its source.",
                )
            )
    return checks


def volume(connection: psycopg.Connection[Any], build: Build, bounds: Bounds) -> Iterable[Check]:
    """No table has lost more of its rows than it may since the last publication."""
    row = connection.execute(
        """
        select rows
        from meta.publication
        where rolled_back_at is null
        order by publication_id desc
        limit 1
        """
    ).fetchone()
    published: dict[str, int] = row[0] if row else {}
    columns = columns_of(connection, build.schema)
    in_marts = columns_of(connection, "marts")
    for table, rows in sorted(published.items()):
        if table not in columns or rows < bounds.min_rows:
            continue
        max_drop = bounds.of(table)
        fewest = int(rows * (1 - max_drop))
        yield Check(
            "volume",
            table,
            f"{table} has not lost more than {max_drop:.0%} of its rows since the last publication",
            f"""
            select
                rows_now || ' rows, {rows} published',
                'at least {fewest} rows',
                rows_now >= {fewest}
            from ({_rows_now(build, table, rows, columns, in_marts)}) as now
            """,
            "Look for a pull that brought deletes (meta.batch.rows_deleted). If the sources really lost so "
            f"much, raise MAX_DROP_OF[{table!r}] in expectations/audit.py and audit again.",
        )


def _rows_now(
    build: Build,
    table: str,
    published: int,
    columns: Mapping[str, frozenset[str]],
    in_marts: Mapping[str, frozenset[str]],
) -> str:
    """Rows of a table of the candidate. In an incremental build only rows that may differ are counted."""
    candidate = f'"{build.schema}"."{table}"'
    conditions = [
        f'{key} in (select {key} from "{build.schema}".{listing})'
        for key, listing in (("customer_id", "changed_customer"), ("lead_id", "changed_lead"))
        if key in columns[table] and key in in_marts.get(table, ()) and listing in columns
    ]
    if build.is_whole or "customer_id" not in columns[table] or not conditions:
        return f"select count(*) as rows_now from {candidate}"
    # A count for each condition, which an index serves: joined by "or", they would read the whole table.
    parts = [
        " and ".join([condition, *(f"({earlier}) is not true" for earlier in conditions[:place])])
        for place, condition in enumerate(conditions)
    ]
    counts = [
        f"{sign} (select count(*) from {relation} where {part})"
        for sign, relation in (("-", f'marts."{table}"'), ("+", candidate))
        for part in parts
    ]
    return f"select {published} {' '.join(counts)} as rows_now"


def columns_of(connection: psycopg.Connection[Any], schema: str) -> dict[str, frozenset[str]]:
    """Table or view of a schema -> its columns."""
    rows = connection.execute(
        """
        select relation.relname, array_agg(attribute.attname::text)
        from pg_class as relation
        inner join pg_namespace as namespace on namespace.oid = relation.relnamespace
        inner join pg_attribute as attribute on attribute.attrelid = relation.oid
        where
            namespace.nspname = %s
            and relation.relkind in ('r', 'p', 'v', 'm')
            and attribute.attnum > 0
            and not attribute.attisdropped
        group by relation.relname
        """,
        (schema,),
    ).fetchall()
    return {name: frozenset(columns) for name, columns in rows}


def literal(value: object) -> str:
    return sql.Literal(value).as_string()
