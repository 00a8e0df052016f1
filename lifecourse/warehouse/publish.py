"""Publishing: what readers see changes from one whole, audited build to the next, in one transaction.

A table is published in one of two ways.

* **Swapped**: copied to `marts_next` with keys, indexes, comments and rights (which takes time, but nobody
  looks there), then moved in by `alter table ... set schema`, while the old one moves to `marts_previous`.
  All tables of a full build are swapped, as is a table whose columns changed.
* **By rows**: only rows that differ between `core` and `marts` are deleted and inserted: those of the keys that the
  build lists as changed (for most tables `core.changed_customer`), those of no such key, and for tables that are
  recomputed whole, all. What was taken away and added is kept in `marts_undo`.

Either way the rows, `marts.publication` and `meta.publication` change in the same transaction. `rollback`
puts back the previous publication, one step.

Why readers never see a gap: `truncate` and fresh tables look empty to a snapshot that is older than their
rows. Rows that are deleted and inserted do not; and before tables are swapped, publishing waits until every
transaction has ended whose snapshot is older than the new tables' rows. Why readers are never killed: the
locks for a swap are asked for only for a moment that is shorter than the server's deadlock timeout, given
up, and asked for again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from lifecourse.errors import sanitised
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.differing import collect_changed, compare, publish_rows, undo_rows
from lifecourse.warehouse.filling import fill, wait_for_older_snapshots
from lifecourse.warehouse.locks import LOCK_PUBLISH
from lifecourse.warehouse.public_table import (
    CORE,
    LOCK_MILLISECONDS,
    MARTS,
    NEXT,
    OWN_TABLE,
    PREVIOUS,
    READERS,
    UNDO,
    Connection,
    PublicTable,
    PublishError,
    columns_of,
    count_rows,
    drop_tables,
    empty,
    exists,
    quoted,
)
from lifecourse.warehouse.roles import BRANCH, Role
from lifecourse.warehouse.swapping import swap

__all__ = [
    "PublicTable",
    "Publication",
    "PublishError",
    "differences",
    "publish",
    "published_tables",
    "rollback",
]

log = logging.getLogger(__name__)

STAGE_TABLE = "fct_lifecycle_span"
STAGE_COLUMNS = (
    "customer_id",
    "campus_id",
    "stage_code",
    "base_stage",
    "phase_code",
    "customer_kind",
    "run_no",
)

#: How long a publication waits for readers before it gives up and leaves everything as it was.
PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class Publication:
    """What was published: by table, the way, the rows readers see, and the rows deleted plus inserted."""

    publication_id: int
    build_id: str
    as_of: date
    kind: str
    actions: Mapping[str, str]
    rows: Mapping[str, int]
    rows_written: Mapping[str, int]
    #: False: the build was published already, and nothing was done.
    is_new: bool = True
    #: Views of others over our tables that could not be pointed to the new ones.
    views_left_behind: Sequence[str] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class _Build:
    build_id: str
    as_of: date
    kind: str
    last_load_id: int
    since_load_id: int


@dataclass(frozen=True)
class _Current:
    publication_id: int
    build_id: str
    as_of: date
    kind: str
    last_load_id: int
    actions: dict[str, str]
    rows: dict[str, int]
    has_no_way_back: bool


@dataclass
class _Plan:
    """What happens to each table."""

    swapped: list[PublicTable] = field(default_factory=list)
    added: list[PublicTable] = field(default_factory=list)
    by_rows: list[PublicTable] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def new_tables(self) -> list[PublicTable]:
        return [*self.swapped, *self.added]

    @property
    def leaving(self) -> list[str]:
        return [*(table.name for table in self.swapped), *self.removed]

    @property
    def actions(self) -> dict[str, str]:
        return {
            **{table.name: "swapped" for table in self.swapped},
            **{table.name: "added" for table in self.added},
            **{table.name: "rows" for table in self.by_rows},
            **dict.fromkeys(self.removed, "removed"),
        }


def publish(
    warehouse: Warehouse,
    build_id: str,
    tables: Sequence[PublicTable],
    patience_seconds: float = PATIENCE_SECONDS,
) -> Publication:
    """Make the audited build in `core` what readers see; tables not in the list leave `marts`.

    Safe to run again: a build that is published already stays so. Raises PublishError, with everything as it
    was, when the build is not audited or not for publishing, a table or key is missing or broken, or
    readers hold the tables for longer than `patience_seconds`.
    """
    started = time.monotonic()
    with _publisher(warehouse, "publish") as connection:
        current = _current(connection)
        if current and current.build_id == build_id:
            return _as_before(current)
        build = _audited_build(connection, build_id, current)
        plan = _plan(connection, build, current, tables)
        empty(connection, NEXT, started + patience_seconds)
        filled = fill(warehouse, plan.new_tables)
        give_up = time.monotonic() + patience_seconds
        if plan.new_tables:
            wait_for_older_snapshots(connection, give_up)
        rows = dict(current.rows) if current else {}
        written: dict[str, int] = {}
        with connection.transaction():
            drop_tables(connection, UNDO)
            collect_changed(connection, plan.by_rows)
            unchanged = _unchanged(connection)
            for table in plan.by_rows:
                gone, came = (0, 0) if table.name in unchanged else publish_rows(connection, table)
                before = (
                    rows[table.name]
                    if table.name in rows
                    else count_rows(connection, table.name) + gone - came
                )
                rows[table.name] = before - gone + came
                written[table.name] = gone + came
            for table in plan.new_tables:
                rows[table.name] = written[table.name] = filled[table.name]
            rows = {name: count for name, count in rows.items() if name in written}
            left_behind = swap(connection, plan.leaving, [table.name for table in plan.new_tables], give_up)
            _keep_stage_on(connection)
            publication_id = _record(connection, build, plan, rows, written)
        for name in left_behind:
            log.warning("view %s still shows the publication before; make it again", name)
        return Publication(
            publication_id=publication_id,
            build_id=build_id,
            as_of=build.as_of,
            kind=_kind(plan),
            actions=plan.actions,
            rows=rows,
            rows_written=written,
            views_left_behind=left_behind,
            seconds=time.monotonic() - started,
        )


def rollback(warehouse: Warehouse, patience_seconds: float = PATIENCE_SECONDS) -> Publication:
    """Put back what readers saw before the current publication, and return that earlier one.

    One step: what was before it is not kept. The next build is then published whole. Raises PublishError when
    there is nothing to go back to.
    """
    started = time.monotonic()
    with _publisher(warehouse, "rollback") as connection:
        current = _current(connection)
        if current is None:
            raise PublishError("nothing is published")
        earlier = connection.execute(
            "select max(publication_id) from meta.publication where publication_id < %s and rolled_back_at is null",
            (current.publication_id,),
        ).fetchone()
        if not earlier or earlier[0] is None:
            raise PublishError(f"{current.build_id} is the first publication: there is none before it")
        if _last_publication(connection) != current.publication_id:
            raise PublishError(
                "one publication was rolled back already, and what was before it is not kept",
                do="build and publish again, or build an older day into a schema of its own",
            )
        if current.has_no_way_back:
            raise PublishError(
                "what was published before held somebody who has been erased since, and is gone",
                f"publication of build {current.build_id}",
                "build an older day into a schema of its own: it will be without that person",
            )
        by = {way: sorted(n for n, action in current.actions.items() if action == way) for way in _WAYS}
        missing = [n for n in (*by["swapped"], *by["removed"]) if not exists(connection, PREVIOUS, n)]
        if missing:
            raise PublishError(
                f"the previous table is gone: {', '.join(missing)}", PREVIOUS, "build again, full"
            )
        give_up = time.monotonic() + patience_seconds
        empty(connection, NEXT, give_up)
        with connection.transaction():
            for name in by["rows"]:
                undo_rows(connection, name)
            drop_tables(connection, UNDO)
            left_behind = swap(
                connection,
                leaving=[*by["swapped"], *by["added"]],
                coming=[*by["swapped"], *by["removed"]],
                give_up=give_up,
                coming_from=PREVIOUS,
                leaving_to=NEXT,
            )
            _keep_stage_on(connection)
            connection.execute(
                "update meta.publication set rolled_back_at = now() where publication_id = %s",
                (current.publication_id,),
            )
            connection.execute(
                "update marts.publication set rolled_back_at = now(), is_current = false where publication_id = %s",
                (current.publication_id,),
            )
            connection.execute(
                "update marts.publication set is_current = true where publication_id = %s", (earlier[0],)
            )
            connection.execute(
                "update meta.build set status = 'rolled_back' where build_id = %s", (current.build_id,)
            )
        back = _current(connection)
        assert back is not None
        try:
            empty(connection, NEXT, time.monotonic() + LOCK_MILLISECONDS / 1000)
        except PublishError as error:
            log.info("%s; the next publication removes it", error)
        for name in left_behind:
            log.warning("view %s showed what was taken back, and is gone; make it again", name)
        return replace(_as_before(back), views_left_behind=left_behind, seconds=time.monotonic() - started)


_WAYS = ("rows", "swapped", "added", "removed")


def published_tables(warehouse: Warehouse) -> list[PublicTable]:
    """The tables of `marts` with their keys, as the database has them."""
    with _publisher(warehouse, "list") as connection:
        return [
            PublicTable(name, key)
            for name, key in connection.execute(
                "select t.relname::text, array_agg(a.attname::text order by array_position(k.conkey, a.attnum))"
                " from pg_class as t join pg_constraint as k on k.conrelid = t.oid and k.contype = 'p'"
                " join pg_attribute as a on a.attrelid = t.oid and a.attnum = any(k.conkey)"
                " where t.relnamespace = %s::regnamespace and t.relkind = 'r' and t.relname <> %s"
                " group by t.relname order by t.relname",
                (MARTS, OWN_TABLE),
            )
        ]


def differences(warehouse: Warehouse, tables: Iterable[PublicTable]) -> dict[str, int]:
    """Rows in which `core` and `marts` differ, by table, those without any left out; -1: other columns.

    Reads both whole: a check for tests and for now and then, not for every night. After a publication and
    before the next build there must be none.
    """
    found: dict[str, int] = {}
    with _publisher(warehouse, "compare") as connection:
        for table in tables:
            if not (exists(connection, MARTS, table.name) and exists(connection, CORE, table.name)):
                found[table.name] = -1
                continue
            columns = [name for name, _ in columns_of(connection, CORE, table.name)]
            if columns_of(connection, CORE, table.name) != columns_of(connection, MARTS, table.name):
                found[table.name] = -1
                continue
            with connection.transaction(force_rollback=True):
                compare(connection, table, columns, whole=True)
                row = connection.execute("select count(*) from pg_temp.published_difference").fetchone()
            if row and row[0]:
                found[table.name] = row[0]
    return found


def forget_previous(warehouse: Warehouse) -> None:
    """Throw away what a rollback would put back: it holds somebody who was erased. Safe to run again."""
    with _publisher(warehouse, "forget") as connection, connection.transaction():
        connection.execute("update meta.publication set has_no_way_back = true where not has_no_way_back")
        for schema in (PREVIOUS, UNDO, NEXT):
            drop_tables(connection, schema)


@contextmanager
def _publisher(warehouse: Warehouse, what: str) -> Iterator[Connection]:
    """A session of the publisher that is the only one to publish; database errors come out without values."""
    with warehouse.connect(Role.PUBLISHER, autocommit=True) as connection:
        try:
            connection.execute("select pg_advisory_lock(%s)", (LOCK_PUBLISH,))
            yield connection
        except psycopg.Error as error:
            raise PublishError(f"could not {what}: {sanitised(error)}", warehouse.name_of()) from None


def _current(connection: Connection) -> _Current | None:
    row = connection.execute(
        "select p.publication_id, p.build_id, p.as_of, p.kind, p.last_load_id, p.actions, p.rows, p.has_no_way_back"
        " from meta.publication as p join marts.publication as shown using (publication_id) where shown.is_current"
    ).fetchone()
    return _Current(*row) if row else None


def _last_publication(connection: Connection) -> int | None:
    row = connection.execute("select max(publication_id) from meta.publication").fetchone()
    return row[0] if row else None


def _as_before(current: _Current) -> Publication:
    return Publication(
        publication_id=current.publication_id,
        build_id=current.build_id,
        as_of=current.as_of,
        kind=current.kind,
        actions=current.actions,
        rows=current.rows,
        rows_written={},
        is_new=False,
    )


def _audited_build(connection: Connection, build_id: str, current: _Current | None) -> _Build:
    row = connection.execute(
        "select build_id, as_of, kind, last_load_id, since_load_id, status, schema_name, known_at_load"
        " from meta.build where build_id = %s",
        (build_id,),
    ).fetchone()
    if row is None:
        raise PublishError("there is no such build", build_id)
    *known, status, schema_name, known_at_load = row
    build = _Build(*known)
    if schema_name != CORE or known_at_load is not None:
        raise PublishError(
            "it is the rebuild of an old day or of old knowledge, which is never published",
            build_id,
            f"query it in schema {schema_name}",
        )
    if status != "audited":
        raise PublishError(
            f"its status is {status}: only a build that passed the audit is published",
            build_id,
            "build again"
            if status in ("rolled_back", "published")
            else "see meta.check_result for this build",
        )
    if current and build.as_of < current.as_of:
        raise PublishError(
            f"it is as of {build.as_of}, and {current.as_of} is published",
            build_id,
            "build a day that is not before the published one",
        )
    return build


def _unchanged(connection: Connection) -> set[str]:
    """Tables of core of which no row has changed since a build that was published."""
    rows = connection.execute(
        "select state.model from meta.model_state as state"
        " join meta.build as build on build.build_id = state.changed_by_build where build.status = 'published'"
    ).fetchall()
    return {name for (name,) in rows}


def _plan(
    connection: Connection, build: _Build, current: _Current | None, tables: Sequence[PublicTable]
) -> _Plan:
    if OWN_TABLE in {table.name for table in tables}:
        raise PublishError(f"the name {OWN_TABLE} is taken by publishing itself", MARTS, "rename the model")
    for table in tables:
        _check_table(connection, table)
    there = {
        name
        for (name,) in connection.execute(
            "select relname from pg_class where relnamespace = %s::regnamespace and relkind = 'r'", (MARTS,)
        )
    } - {OWN_TABLE}
    # After a rollback `core` is ahead of `marts` by a build whose changed customers are forgotten.
    rows_are_enough = (
        build.kind == "incremental"
        and current is not None
        and build.since_load_id <= current.last_load_id
        and _last_publication(connection) == current.publication_id
    )
    plan = _Plan(removed=sorted(there - {table.name for table in tables}))
    for table in tables:
        if table.name not in there:
            plan.added.append(table)
        elif rows_are_enough and columns_of(connection, CORE, table.name) == columns_of(
            connection, MARTS, table.name
        ):
            plan.by_rows.append(table)
        else:
            plan.swapped.append(table)
    return plan


def _check_table(connection: Connection, table: PublicTable) -> None:
    columns = [name for name, _ in columns_of(connection, CORE, table.name)]
    if not columns:
        raise PublishError(
            "the build has no such table", f"{CORE}.{table.name}", "see the dbt run of this build"
        )
    if not table.primary_key:
        raise PublishError("has no primary key", f"{CORE}.{table.name}", "name one in the model's meta")
    wanted = [*table.primary_key, *(name for index in table.indexes for name in index)]
    wanted += [name for name in (table.customer_column, (table.changed_by or (None,))[0]) if name]
    absent = sorted(set(wanted) - set(columns))
    if absent:
        raise PublishError(
            f"has no column {', '.join(absent)}",
            f"{CORE}.{table.name}",
            "mend primary_key, indexes or changed_by in the model's meta",
        )


def _kind(plan: _Plan) -> str:
    return "incremental" if plan.by_rows else "full"


def _record(
    connection: Connection, build: _Build, plan: _Plan, rows: dict[str, int], written: dict[str, int]
) -> int:
    row = connection.execute(
        "insert into meta.publication (build_id, as_of, kind, last_load_id, rows, rows_written, actions, published_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, clock_timestamp()) returning publication_id",
        (
            build.build_id,
            build.as_of,
            _kind(plan),
            build.last_load_id,
            Jsonb(rows),
            Jsonb(written),
            Jsonb(plan.actions),
        ),
    ).fetchone()
    assert row is not None
    publication_id: int = row[0]
    connection.execute("update marts.publication set is_current = false where is_current")
    connection.execute(
        "insert into marts.publication (publication_id, build_id, as_of, published_at, kind, rows, batches,"
        " last_load_id, is_current)"
        " select publication_id, build_id, as_of, published_at, kind, %s,"
        " (select count(*) from meta.batch as b where b.status = 'merged' and b.load_id <= p.last_load_id),"
        " last_load_id, true from meta.publication as p where publication_id = %s",
        (sum(rows.values()), publication_id),
    )
    connection.execute("update meta.build set status = 'published' where build_id = %s", (build.build_id,))
    return publication_id


def _keep_stage_on(connection: Connection) -> None:
    """`marts.stage_on(day)` exists while the table of spans does, with the columns that it has."""
    types = dict(columns_of(connection, MARTS, STAGE_TABLE))
    columns = [name for name in STAGE_COLUMNS if name in types]
    if not {"customer_id", "valid_from", "valid_to"} <= types.keys():
        connection.execute("drop function if exists marts.stage_on(date)")
        return
    result = ", ".join(f"{quoted(name)} {types[name]}" for name in columns)
    # A string body, not `begin atomic`: it finds the table by name after every swap. Being inlined into the
    # query, it runs on the query's own snapshot.
    body = (
        f"\n    select {', '.join(f's.{quoted(name)}' for name in columns)}\n"
        f"    from {MARTS}.{STAGE_TABLE} as s\n"
        f"    where s.valid_from <= $1 and (s.valid_to > $1 or s.valid_to is null)\n"
    )
    there = connection.execute(
        "select prosrc, pg_get_function_result(oid) from pg_proc where oid = to_regprocedure('marts.stage_on(date)')"
    ).fetchone()
    if there == (body, f"TABLE({result})"):
        _grant_stage_on(connection)
        return
    if there and there[1] != f"TABLE({result})":
        connection.execute("drop function marts.stage_on(date)")
    connection.execute(
        sql.SQL(
            "create or replace function marts.stage_on(day date) returns table ({}) language sql stable parallel safe as {}"
        ).format(sql.SQL(result), sql.Literal(body))
    )
    connection.execute(
        "comment on function marts.stage_on(date) is 'One row per customer who had a stage on that day of the "
        "institution''s calendar. Example: select stage_code, count(*) from marts.stage_on(date ''2026-03-01'') "
        "group by stage_code.'"
    )
    _grant_stage_on(connection)


def _grant_stage_on(connection: Connection) -> None:
    connection.execute("revoke all on function marts.stage_on(date) from public")
    for reader in (*(role.login for role in READERS), BRANCH):
        connection.execute(
            sql.SQL("grant execute on function marts.stage_on(date) to {}").format(sql.Identifier(reader))
        )
