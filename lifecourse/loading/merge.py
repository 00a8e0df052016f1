"""Merge: check a landed batch and bring it into raw, in one transaction, or refuse it whole.

Every row read ends in exactly one of five places: inserted, updated, unchanged, quarantined, or left out because the
person was erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.loading import ddl
from lifecourse.loading.pull import drop_landing, find_system, pull_system
from lifecourse.privacy import suppression
from lifecourse.quality.rows import CheckedBatch, check_landing, record
from lifecourse.settings import settings
from lifecourse.sources.spec import SystemSpec, TableSpec
from lifecourse.sources.sql import key_text
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD, LOCK_TABLE

#: A first load or mass change of more rows does not list the keys it touched: it touches everybody.
TOUCH_ALL_ABOVE = 200_000


@dataclass
class Counts:
    """What became of a batch's rows (see ``meta.batch``)."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0
    suppressed: int = 0
    deleted: int = 0
    rechecked: int = 0
    released: int = 0


@dataclass
class MergeReport:
    """Counts per table and the tables whose batch was refused, with the reason."""

    system: str
    business_day: date
    tables: dict[str, Counts] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class LandingLost(LifecourseError):
    """The database crashed and emptied the unlogged landing table: the batch must be pulled again."""


def merge_system(system: str | SystemSpec, business_day: date, into: Warehouse | None = None) -> MergeReport:
    """Checks and merges every landed batch of the system's day, parents before children.

    A refused batch does not stop the others; the day is then not delivered.
    """
    spec = system if isinstance(system, SystemSpec) else find_system(system)
    target = into or warehouse()
    try:
        return _merge_landed(target, spec, business_day)
    except LandingLost:
        pull_system(spec, business_day, target)
        return _merge_landed(target, spec, business_day)


def _merge_landed(target: Warehouse, spec: SystemSpec, business_day: date) -> MergeReport:
    report = MergeReport(spec.system, business_day)
    with target.connect(Role.LOADER) as connection:
        rows = connection.execute(
            "select batch_id, source_table from meta.batch where system = %s and business_day = %s and status = 'landed'",
            (spec.system, business_day),
        ).fetchall()
        connection.rollback()
        order = {name: position for position, name in enumerate(spec.table_names)}
        for batch_id, name in sorted(rows, key=lambda row: (order.get(row[1], len(order)), row[0])):
            if name not in order:
                continue
            _merge_or_refuse(target, connection, spec, spec.table(name), batch_id, report)
        connection.execute(
            """
            update meta.pull set status = 'merged'
            where system = %s and business_day = %s and status = 'landed'
                and not exists (
                    select from meta.batch where batch.pull_id = pull.pull_id and batch.status in ('landing', 'landed')
                )
            """,
            (spec.system, business_day),
        )
        connection.commit()
    return report


def _merge_or_refuse(
    target: Warehouse,
    connection: psycopg.Connection,
    spec: SystemSpec,
    table: TableSpec,
    batch_id: int,
    report: MergeReport,
) -> None:
    try:
        counts = merge_batch(target, connection, spec, table, batch_id)
    except psycopg.Error as error:
        connection.rollback()
        raise LifecourseError(
            f"the merge of batch {batch_id} failed: {sanitised(error)}",
            f"system {spec.system}, table {table.name}",
            "nothing of it was merged; run the task again",
        ) from None
    except BatchRefused as error:
        connection.rollback()
        connection.execute(
            "update meta.batch set status = 'refused', error = %s, finished_at = clock_timestamp() where batch_id = %s",
            (str(error), batch_id),
        )
        record(connection, batch_id, error.checked.results)
        drop_landing(connection, batch_id)
        connection.commit()
        report.refused[table.name] = str(error)
        return
    if counts is not None:
        known = report.tables.setdefault(table.name, Counts())
        for name, value in vars(counts).items():
            setattr(known, name, getattr(known, name) + value)


class BatchRefused(LifecourseError):
    """More rows failed than the table's share allows: the source is broken, not the rows."""

    def __init__(self, message: str, where: str, do: str, checked: CheckedBatch) -> None:
        super().__init__(message, where, do)
        self.checked = checked


def merge_batch(
    target: Warehouse, connection: psycopg.Connection, spec: SystemSpec, table: TableSpec, batch_id: int
) -> Counts | None:
    """One batch: look again at quarantine, check, merge. None if somebody else has merged it meanwhile."""
    merge = _Merge(connection, spec, table, batch_id)
    with _one_at_a_time(connection, merge.relation):
        if not merge.lock():
            connection.rollback()
            return None
        merge.verify_landing()
        merge.leave_out_erased()
        rechecked = merge.put_quarantine_back()
        checked = CheckedBatch([], [])
        if merge.read or rechecked:
            connection.commit()  # the check runs on a connection of its own and must see the rows put back
            if table.suite:
                checked = check_landing(target.url(Role.LOADER), merge.landing, table.suite, merge.context())
            merge.lock()
        counts = merge.run(checked)
        record(connection, batch_id, checked.results)
        connection.commit()
        return counts


@contextmanager
def _one_at_a_time(connection: psycopg.Connection, relation: str) -> Iterator[None]:
    """One merge into a table at a time. A session's lock: it spans the check, and goes with a killed session."""
    key = (LOCK_TABLE, f"merge {relation}")
    connection.execute("select pg_advisory_lock(%s, hashtext(%s))", key)
    connection.commit()
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.rollback()
            connection.execute("select pg_advisory_unlock(%s, hashtext(%s))", key)
            connection.commit()


class _Merge:
    """The statements of one merge. All run in one transaction, from `lock` to the caller's commit."""

    def __init__(
        self, connection: psycopg.Connection, spec: SystemSpec, table: TableSpec, batch_id: int
    ) -> None:
        self.connection = connection
        self.spec, self.table, self.batch_id = spec, table, batch_id
        self.relation = ddl.relation(spec, table)
        self.landing = f"b{batch_id}"
        self.columns = list(ddl.landed_columns(table))
        self.read = self.suppressed = 0
        self.names = {
            "raw": sql.Identifier("raw", self.relation),
            "history": sql.Identifier("raw_history", self.relation),
            "quarantine": sql.Identifier("quarantine", self.relation),
            "landing": sql.Identifier("landing", self.landing),
            "gone": sql.Identifier("landing", f"{self.landing}__gone"),
            "columns": ddl.identifiers(self.columns),
            "key": ddl.identifiers(table.key),
            "changed": sql.Identifier(table.change_time)
            if table.change_time
            else sql.SQL("null::timestamptz"),
            "batch": sql.Literal(batch_id),
        }

    # Each helper below formats its statement with the names of this merge.

    def _execute(self, statement: str, **more: sql.Composable) -> psycopg.Cursor:
        return self.connection.execute(sql.SQL(statement).format(**self.names, **more))

    def _scalar(self, statement: str, **more: sql.Composable) -> int:
        row = self._execute(statement, **more).fetchone()
        assert row is not None
        return row[0]

    def _on(self, left: str, right: str) -> sql.Composable:
        return sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name))
            for name in self.table.key
        )

    def _identity(self, alias: str) -> sql.Composable:
        """What tells two quarantined rows apart: the key, or the whole row where the key is missing."""
        parts = [sql.Identifier(alias, name) for name in self.table.key]
        complete = sql.SQL(" and ").join(sql.SQL("{} is not null").format(part) for part in parts)
        return sql.SQL("case when {} then 'k:' || {} else 'r:' || md5(row({})::text) end").format(
            complete, key_text(list(parts)), ddl.identifiers(self.columns, alias)
        )

    def lock(self) -> bool:
        """Keeps builds away until the commit; False if the batch is no longer waiting to be merged."""
        # A build holds this lock exclusively: no build sees half a night.
        self.connection.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK_BUILD,))
        row = self.connection.execute(
            "select status, rows_read, rows_suppressed from meta.batch where batch_id = %s for update",
            (self.batch_id,),
        ).fetchone()
        if row is None or row[0] != "landed":
            return False
        self.read, self.suppressed = row[1], row[2]
        return True

    def verify_landing(self) -> None:
        """Raises `LandingLost` unless every row that was read is there."""
        is_there = self.connection.execute("select to_regclass(%s)", (f"landing.{self.landing}",)).fetchone()
        found = -1
        if is_there and is_there[0]:
            found = self._scalar("select count(*) from {landing} where _quarantine_id is null")
        if found != self.read - self.suppressed:
            raise LandingLost(
                f"batch {self.batch_id} has landed {self.read} rows and {max(found, 0)} are left",
                f"system {self.spec.system}, table {self.table.name}",
                "the database has crashed since; the pull is done again",
            )

    def leave_out_erased(self) -> None:
        """Takes erased persons out of the batch, noting how many rows went: their source still sends them."""
        removed = suppression.scrub_landing(self.connection, self.spec, self.table, self.landing)
        suppression.drop_unknown_tokens(self.connection, self.table, self.landing, self.batch_id)
        if removed:
            self.suppressed += removed
            self.connection.execute(
                "update meta.batch set rows_suppressed = %s where batch_id = %s",
                (self.suppressed, self.batch_id),
            )

    def put_quarantine_back(self) -> int:
        """Open quarantine rows join the batch, unless a newer version of them has just landed; how many."""
        return (
            self._execute(
                """
            insert into {landing} ({columns}, _cast_error, _quarantine_id)
            select {columns}, _cast_error, _quarantine_id from {quarantine} as held
            where _status = 'open'
                and not exists (select from {landing} as landed where landed._quarantine_id = held._quarantine_id)
                and not exists (
                    select from {landing} as landed where landed._quarantine_id is null and {identity} = held._identity
                )
            """,
                identity=self._identity("landed"),
            ).rowcount
            if self._has_open_quarantine()
            else 0
        )

    def _has_open_quarantine(self) -> bool:
        return (
            self._execute("select 1 from {quarantine} where _status = 'open' limit 1").fetchone() is not None
        )

    def context(self) -> dict[str, object]:
        """What relation rules need to know (see lifecourse.quality.rows)."""
        return {
            "system": self.spec.system,
            "timezone": settings().timezone,
            "tables": {
                (table.maps_to or table.name): f"raw.{ddl.relation(self.spec, table)}"
                for table in self.spec.tables
            },
        }

    def run(self, checked: CheckedBatch) -> Counts:
        """Everything between check and commit."""
        counts = Counts(read=self.read, suppressed=self.suppressed)
        self._set_aside(checked)
        counts.rechecked = self._scalar("select count(*) from {landing} where _quarantine_id is not null")
        counts.quarantined = self._scalar(
            "select count(*) from set_aside join {landing} using (_row) where _rules is not null and _quarantine_id is null"
        )
        self._refuse_if_too_many(counts, checked)
        load_id = self._scalar("select nextval('meta.load_id')")
        self._merge_good_rows(counts, load_id)
        self._quarantine(counts, load_id)
        counts.deleted = self._soft_delete(load_id)
        counts.unchanged = (
            counts.read - counts.inserted - counts.updated - counts.quarantined - counts.suppressed
        )
        self._finish(counts, load_id)
        return counts

    def _set_aside(self, checked: CheckedBatch) -> None:
        """``set_aside(_row, _rules)``: rows that do not go into raw; `_rules` null means overtaken, not bad."""
        self._execute(
            "create temporary table set_aside (_row bigint primary key, _rules text[]) on commit drop"
        )
        for failure in checked:
            self._execute(
                """
                insert into set_aside (_row, _rules)
                select distinct bad._row, array[{rule}] from ({query}) as bad
                on conflict (_row) do update set _rules = case
                    when set_aside._rules @> excluded._rules then set_aside._rules
                    else set_aside._rules || excluded._rules
                end
                """,
                rule=sql.Literal(failure.rule),
                query=sql.SQL(failure.row_query.strip().rstrip(";")),
            )

    def _refuse_if_too_many(self, counts: Counts, checked: CheckedBatch) -> None:
        allowed = self.table.max_failing_share
        if counts.read >= self.table.min_rows_to_refuse and counts.quarantined > allowed * counts.read:
            rules = ", ".join(f"{failure.rule} ({failure.failing_rows})" for failure in checked)
            raise BatchRefused(
                f"{counts.quarantined} of {counts.read} rows break a rule ({rules}); at most {allowed:.0%} may",
                f"system {self.spec.system}, table {self.table.name}, batch {self.batch_id}",
                f"mend the source, or raise max_failing_share of the table in {self.spec.file.name}",
                checked,
            )

    def _set_duplicates_aside(self) -> None:
        """Of several rows with one key the latest change wins; a fresh row wins over one from quarantine."""
        has_duplicates = self._execute(
            """
            select 1 from {landing} as landed
            where not exists (select from set_aside where set_aside._row = landed._row)
            group by {key} having count(*) > 1 limit 1
            """
        ).fetchone()
        if has_duplicates:
            self._execute(
                """
                insert into set_aside (_row, _rules)
                select _row, null from (
                    select _row, row_number() over (
                        partition by {key} order by {changed} desc nulls last, _quarantine_id nulls first, _row desc
                    ) as place
                    from {landing} as landed
                    where not exists (select from set_aside where set_aside._row = landed._row)
                ) as ranked
                where place > 1
                """
            )

    def _merge_good_rows(self, counts: Counts, load_id: int) -> None:
        load = sql.Literal(load_id)
        is_first = self._execute("select 1 from {raw} limit 1").fetchone() is None
        if is_first and self.read > 10_000:
            # The primary key finds duplicates for nothing; looking for them first is worth it only then.
            try:
                with self.connection.transaction():
                    self._first_load(counts, load)
                return
            except psycopg.errors.UniqueViolation:
                pass
        self._set_duplicates_aside()
        if is_first:
            self._first_load(counts, load)
        else:
            self._merge_changes(counts, load)

    def _not_aside(self) -> sql.Composable:
        if self._scalar("select count(*) from set_aside") == 0:
            return sql.SQL("true")
        return sql.SQL("not exists (select from set_aside where set_aside._row = landed._row)")

    def _first_load(self, counts: Counts, load: sql.Composable) -> None:
        not_aside = self._not_aside()
        with self._emptied_raw() if self.read > 10_000 else nullcontext():
            self._execute(
                """
                insert into {raw} ({columns}, _load_id, _changed_at)
                select {columns}, {load}, {changed} from {landing} as landed where {not_aside}
                """,
                load=load,
                not_aside=not_aside,
            )
        # Autovacuum never looks at a table of some rows, and the planner would go on guessing.
        self._execute("analyze {raw}")
        counts.inserted = self._scalar(
            "select count(*) from {landing} as landed where _quarantine_id is null and {not_aside}",
            not_aside=not_aside,
        )
        if counts.inserted > TOUCH_ALL_ABOVE and self.table.touches:
            self._execute("insert into meta.touched values ({load}, 'all', '*')", load=load)
        else:
            self._touch(
                load, "select {column} from {landing} as landed where {not_aside}", not_aside=not_aside
            )

    def _merge_changes(self, counts: Counts, load: sql.Composable) -> None:
        # A version older than the one held is old news (a day pulled again): it changes nothing. Of a row that
        # is never changed by its source the first version stands: a bill downloaded again differs in its name.
        self._execute(
            """
            create temporary table verdict on commit drop as
            select landed._row, landed._quarantine_id, raw._load_id is null as is_new, {landed_key}
            from {landing} as landed
            left join {raw} as raw on {on}
            where {not_aside} and (
                raw._load_id is null
                or (
                    (raw._deleted_at is not null or raw._is_stale or ({differs}))
                    and ({landed_changed} >= raw._changed_at or {landed_changed} is null or raw._changed_at is null)
                )
            )
            """,
            landed_key=ddl.identifiers(self.table.key, "landed"),
            on=self._on("raw", "landed"),
            not_aside=self._not_aside(),
            differs=self._differs(),
            landed_changed=self._landed_changed(),
        )
        inserted, updated, changes = self.connection.execute(
            """
            select count(*) filter (where is_new and _quarantine_id is null),
                count(*) filter (where not is_new and _quarantine_id is null),
                count(*)
            from verdict
            """
        ).fetchone() or (0, 0, 0)
        counts.inserted, counts.updated = inserted, updated
        if not changes:
            return
        self.connection.execute("analyze verdict")
        is_mass = self._is_mass_change(changes)
        if is_mass and self.table.touches:
            self._execute("insert into meta.touched values ({load}, 'all', '*')", load=load)
        elif not is_mass:
            self._touch(load, "select {column} from {raw} join verdict using ({key}) where not is_new")
        self._execute(
            """
            insert into {history} ({columns}, _load_id, _changed_at, _deleted_at, _is_stale, _superseded_by_load)
            select {raw_columns}, raw._load_id, raw._changed_at, raw._deleted_at, raw._is_stale, {load}
            from {raw} as raw join verdict using ({key}) where not is_new
            """,
            raw_columns=ddl.identifiers(self.columns, "raw"),
            load=load,
        )
        if is_mass:
            self._write_raw_anew(load)
        else:
            self._update_raw(load)
            self._touch(load, "select {column} from {raw} join verdict using ({key})")

    def _differs(self) -> sql.Composable:
        if self.table.append_only:
            return sql.SQL("false")
        return sql.SQL("row({}) is distinct from row({})").format(
            ddl.identifiers(self.columns, "landed"), ddl.identifiers(self.columns, "raw")
        )

    def _is_mass_change(self, changes: int) -> bool:
        """Whether so much changes that writing the table anew is cheaper than updating it row by row."""
        if changes <= TOUCH_ALL_ABOVE:
            return False
        row = self.connection.execute(
            "select reltuples from pg_class where oid = to_regclass(%s)", (f"raw.{self.relation}",)
        ).fetchone()
        return row is not None and changes > 0.3 * row[0]

    def _update_raw(self, load: sql.Composable) -> None:
        self._execute(
            """
            update {raw} as raw
            set ({columns}, _load_id, _changed_at, _deleted_at, _is_stale)
                = ({landed_columns}, {load}, {landed_changed}, null, false)
            from {landing} as landed join verdict using (_row)
            where not verdict.is_new and {on}
            """,
            landed_columns=ddl.identifiers(self.columns, "landed"),
            landed_changed=self._landed_changed(),
            load=load,
            on=self._on("raw", "landed"),
        )
        self._insert_landed(load, sql.SQL("verdict.is_new"))

    def _insert_landed(self, load: sql.Composable, which: sql.Composable) -> None:
        self._execute(
            """
            insert into {raw} ({columns}, _load_id, _changed_at)
            select {landed_columns}, {load}, {landed_changed}
            from {landing} as landed join verdict using (_row) where {which}
            """,
            landed_columns=ddl.identifiers(self.columns, "landed"),
            landed_changed=self._landed_changed(),
            load=load,
            which=which,
        )

    def _write_raw_anew(self, load: sql.Composable) -> None:
        """Unchanged rows set aside, the table emptied and filled, its indexes built at the end."""
        self._execute(
            """
            create temporary table unchanged on commit drop as
            select raw.* from {raw} as raw where not exists (select from verdict where {on})
            """,
            on=self._on("verdict", "raw"),
        )
        with self._emptied_raw():
            self._insert_landed(load, sql.SQL("true"))
            self._execute("insert into {raw} select * from unchanged")
        self._execute("analyze {raw}")

    @contextmanager
    def _emptied_raw(self) -> Iterator[None]:
        """Raw emptied and without indexes, which come back at the end.

        A table emptied in this transaction takes rows without write-ahead log where the server allows it,
        and its indexes are built faster afterwards. Nobody reads raw but builds, and they wait.
        """
        self._execute("truncate {raw}")
        ddl.drop_raw_indexes(self.connection, self.relation)
        yield
        ddl.index_raw(self.connection, self.table, self.relation)

    def _landed_changed(self) -> sql.Composable:
        name = self.table.change_time
        return sql.Identifier("landed", name) if name else sql.SQL("null::timestamptz")

    def _touch(self, load: sql.Composable, query: str, **more: sql.Composable) -> None:
        """Notes whose rows these are; `query` selects ``{column}`` of the rows."""
        touches = self.table.touches
        if touches == "all":
            touches = {"all": self.table.key[0]}
        for kind, column in (touches or {}).items():
            self._execute(
                "insert into meta.touched select distinct {load}, {kind}, {key_value} from ("
                + query
                + ") as rows (key) where key is not null",
                load=load,
                kind=sql.Literal(kind),
                key_value=sql.SQL("'*'") if kind == "all" else sql.SQL("key::text"),
                column=sql.Identifier(column),
                **more,
            )

    def _quarantine(self, counts: Counts, load_id: int) -> None:
        # What was open under the same identity and is now good (this version or a newer one) is closed.
        if counts.rechecked:
            counts.released = self._execute(
                """
                update {quarantine} as held
                set _status = 'released', _closed_at = clock_timestamp(), _batch_id = {batch}
                from {landing} as landed
                where landed._quarantine_id = held._quarantine_id
                    and not exists (select from set_aside where set_aside._row = landed._row and _rules is not null)
                """
            ).rowcount
            self._execute(
                """
                update {quarantine} as held
                set _rule = aside._rules[1], _rules = aside._rules, _seen_at = clock_timestamp()
                from {landing} as landed join set_aside as aside using (_row)
                where landed._quarantine_id = held._quarantine_id and aside._rules is not null
                    and held._rules is distinct from aside._rules
                """
            )
        if self._has_open_quarantine():
            self._execute(
                """
                update {quarantine} as held
                set _status = 'resolved', _closed_at = clock_timestamp(), _batch_id = {batch}
                from {landing} as landed
                where held._status = 'open' and landed._quarantine_id is null and {identity} = held._identity
                    and not exists (select from set_aside where set_aside._row = landed._row and _rules is not null)
                """,
                identity=self._identity("landed"),
            )
        if not counts.quarantined:
            return
        self._execute(
            """
            insert into {quarantine}
                ({columns}, _cast_error, _changed_at, _identity, _batch_id, _first_seen_batch, _rule, _rules)
            select distinct on ({identity}) {landed_columns}, landed._cast_error, {landed_changed}, {identity},
                {batch}, {batch}, _rules[1], _rules
            from {landing} as landed join set_aside using (_row)
            where _rules is not null and _quarantine_id is null
            order by {identity}, {landed_changed} desc nulls last, _row desc
            on conflict (_identity) where _status = 'open' do update
            set ({columns}, _cast_error, _changed_at, _batch_id, _rule, _rules, _seen_at)
                = ({excluded}, excluded._cast_error, excluded._changed_at, {batch}, excluded._rule, excluded._rules,
                    clock_timestamp())
            """,
            identity=self._identity("landed"),
            landed_columns=ddl.identifiers(self.columns, "landed"),
            landed_changed=self._landed_changed(),
            excluded=ddl.identifiers(self.columns, "excluded"),
        )
        # The last good version stays in raw, marked: a newer one exists and was not good enough.
        self._execute(
            """
            update {raw} as raw set _is_stale = true
            from {landing} as landed join set_aside using (_row)
            where _rules is not null and {on} and raw._deleted_at is null and not raw._is_stale
                and ({landed_changed} > raw._changed_at or {landed_changed} is null or raw._changed_at is null)
            """,
            on=self._on("raw", "landed"),
            landed_changed=self._landed_changed(),
        )

    def _soft_delete(self, load_id: int) -> int:
        has_gone = self.connection.execute(
            "select to_regclass(%s)", (f"landing.{self.landing}__gone",)
        ).fetchone()
        if not has_gone or not has_gone[0]:
            return 0
        load = sql.Literal(load_id)
        self._touch(
            load,
            "select raw.{column} from {raw} as raw join {gone} as gone on "
            "{on_gone} where raw._deleted_at is null",
            on_gone=self._on("raw", "gone"),
        )
        self._execute(
            """
            insert into {history} ({columns}, _load_id, _changed_at, _deleted_at, _is_stale, _superseded_by_load)
            select {raw_columns}, raw._load_id, raw._changed_at, raw._deleted_at, raw._is_stale, {load}
            from {raw} as raw join {gone} as gone on {on} where raw._deleted_at is null
            """,
            raw_columns=ddl.identifiers(self.columns, "raw"),
            load=load,
            on=self._on("raw", "gone"),
        )
        deleted = self._execute(
            """
            update {raw} as raw set _load_id = {load}, _deleted_at = batch.window_to
            from {gone} as gone, meta.batch as batch
            where {on} and raw._deleted_at is null and batch.batch_id = {batch}
            """,
            load=load,
            on=self._on("raw", "gone"),
        ).rowcount
        self._execute(
            """
            update {quarantine} as held
            set _status = 'resolved', _closed_at = clock_timestamp(), _batch_id = {batch}
            from {gone} as gone where held._status = 'open' and {on}
            """,
            on=self._on("held", "gone"),
        )
        return deleted

    def _finish(self, counts: Counts, load_id: int) -> None:
        self.connection.execute(
            """
            update meta.batch set status = 'merged', load_id = %s, rows_inserted = %s, rows_updated = %s,
                rows_unchanged = %s, rows_quarantined = %s, rows_deleted = %s, rows_rechecked = %s,
                rows_released = %s, finished_at = clock_timestamp()
            where batch_id = %s
            """,
            (
                load_id,
                counts.inserted,
                counts.updated,
                counts.unchanged,
                counts.quarantined,
                counts.deleted,
                counts.rechecked,
                counts.released,
                self.batch_id,
            ),
        )
        self.connection.execute(
            """
            insert into meta.watermark (system, source_table, pulled_to, load_id)
            select system, source_table, window_to, load_id from meta.batch where batch_id = %s
            on conflict (system, source_table) do update
            set pulled_to = greatest(watermark.pulled_to, excluded.pulled_to), load_id = excluded.load_id
            """,
            (self.batch_id,),
        )
        drop_landing(self.connection, self.batch_id)
