"""Pull: read every table of a system from one snapshot, up to one cut-off, into landing tables.

Nothing of a pull is visible before the merge. A pull that is interrupted is abandoned and done again; one
that is complete and not yet merged is used again, so that two runs at once end as one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import psycopg
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.loading import ddl
from lifecourse.loading.compare import find_differences
from lifecourse.privacy.vault import Vault
from lifecourse.settings import settings
from lifecourse.sources.base import Reader, Unit, Window
from lifecourse.sources.registry import open_reader
from lifecourse.sources.spec import SystemSpec, TableSpec, load_systems
from lifecourse.sources.sql import PostgresReader
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_TABLE


@dataclass
class PullReport:
    """What a pull did: rows per table, and the tables that could not be read with the reason."""

    system: str
    business_day: date
    cutoff_at: datetime
    pull_id: int
    rows: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def end_of_day(business_day: date) -> datetime:
    """The last instant of the day in the institution's zone (microseconds are Postgres' resolution)."""
    midnight = datetime.combine(business_day + timedelta(days=1), time(), settings().zone)
    return midnight - timedelta(microseconds=1)


def start_of_day(business_day: date) -> datetime:
    """Midnight at which the day begins in the institution's zone."""
    return datetime.combine(business_day, time(), settings().zone)


def find_system(name: str, systems: dict[str, SystemSpec] | None = None) -> SystemSpec:
    """The system of that name; `LifecourseError` with the known names otherwise."""
    systems = systems if systems is not None else load_systems()
    if name not in systems:
        raise LifecourseError(
            f"no system {name!r} is described",
            str(settings().sources_dir),
            f"one of: {', '.join(sorted(systems))}",
        )
    return systems[name]


def pull_system(system: str | SystemSpec, business_day: date, into: Warehouse | None = None) -> PullReport:
    """Lands every table of the system for the business day.

    A table that cannot be read (missing or retyped column, a broken bill) does not stop the others: its
    error is in the report and in ``meta.batch``, and the system does not deliver the day.
    """
    spec = system if isinstance(system, SystemSpec) else find_system(system)
    target = into or warehouse()
    with target.connect(Role.LOADER, autocommit=True) as control, _one_at_a_time(control, spec):
        prepare(target, spec)
        complete = _complete_pull(control, spec, business_day)
        if complete is not None:
            return complete
        _abandon(control, spec, business_day)
        with open_reader(spec) as reader:
            cutoff = min(reader.clock(), end_of_day(business_day))
            pull_id = _one(
                control,
                "insert into meta.pull (system, business_day, cutoff_at) values (%s, %s, %s) returning pull_id",
                (spec.system, business_day, cutoff),
            )
            report = PullReport(spec.system, business_day, cutoff, pull_id)
            for table in spec.tables:
                _pull_table(target, control, reader, spec, table, report)
        control.execute(
            "update meta.pull set status = 'landed', finished_at = clock_timestamp() where pull_id = %s",
            (pull_id,),
        )
        return report


def prepare(target: Warehouse, spec: SystemSpec) -> None:
    """Creates raw, history and quarantine tables and the canonical views, where missing.

    The views name raw tables of every system, so those of the other systems are made as well.
    """
    systems = (load_systems(spec.file.parent) if spec.file.name else {}) | {spec.system: spec}
    with target.connect(Role.LOADER) as connection:
        connection.execute("select pg_advisory_xact_lock(%s, 0)", (LOCK_TABLE,))
        for system in systems.values():
            ddl.ensure_tables(connection, system)
        ddl.recreate_canonical_views(connection, systems)
        connection.commit()


@contextmanager
def _one_at_a_time(control: psycopg.Connection, spec: SystemSpec) -> Iterator[None]:
    """One pull of a system at a time; the lock goes with the session, so a killed pull leaves none behind."""
    control.execute("select pg_advisory_lock(%s, hashtext(%s))", (LOCK_TABLE, f"pull {spec.system}"))
    try:
        yield
    finally:
        if not control.closed and not control.broken:
            control.execute(
                "select pg_advisory_unlock(%s, hashtext(%s))", (LOCK_TABLE, f"pull {spec.system}")
            )


def _complete_pull(control: psycopg.Connection, spec: SystemSpec, business_day: date) -> PullReport | None:
    """A pull of that day that has landed every table and waits for its merge."""
    row = control.execute(
        """
        select pull_id, cutoff_at from meta.pull
        where system = %s and business_day = %s and status = 'landed'
        order by pull_id desc limit 1
        """,
        (spec.system, business_day),
    ).fetchone()
    if row is None:
        return None
    batches = control.execute(
        """
        select source_table, batch_id, status, rows_read - rows_suppressed,
            status <> 'landed' or to_regclass('landing.b' || batch_id) is not null as is_there
        from meta.batch where pull_id = %s
        """,
        (row[0],),
    ).fetchall()
    is_usable = {table for table, *_ in batches} >= set(spec.table_names) and all(
        status in ("landed", "merged") and is_there for _, _, status, _, is_there in batches
    )
    if not is_usable:
        return None
    for _, batch_id, status, rows_read, _ in batches:
        try:
            if status == "landed" and _landed_rows(control, batch_id) != rows_read:
                return None
        except psycopg.errors.UndefinedTable:
            return None  # merged this very moment by somebody else
    report = PullReport(spec.system, business_day, row[1], row[0])
    for table, _, _, rows_read, _ in batches:
        report.rows[table] = report.rows.get(table, 0) + rows_read
    return report


def _landed_rows(control: psycopg.Connection, batch_id: int) -> int:
    query = sql.SQL("select count(*) from landing.{} where _quarantine_id is null").format(
        sql.Identifier(f"b{batch_id}")
    )
    return _one(control, query)


def _abandon(control: psycopg.Connection, spec: SystemSpec, business_day: date) -> None:
    """Forgets what an interrupted pull of the day has landed and not merged."""
    rows = control.execute(
        """
        update meta.batch set status = 'abandoned', finished_at = clock_timestamp()
        where system = %s and business_day = %s and status in ('landing', 'landed')
        returning batch_id
        """,
        (spec.system, business_day),
    ).fetchall()
    for (batch_id,) in rows:
        drop_landing(control, batch_id)
    control.execute(
        """
        update meta.pull set status = 'abandoned', finished_at = clock_timestamp()
        where system = %s and business_day = %s and status in ('pulling', 'landed')
        """,
        (spec.system, business_day),
    )


def drop_landing(connection: psycopg.Connection, batch_id: int) -> None:
    """Drops the batch's landing table and its list of vanished keys."""
    for name in (f"b{batch_id}", f"b{batch_id}__gone"):
        connection.execute(sql.SQL("drop table if exists landing.{}").format(sql.Identifier(name)))


def _pull_table(
    target: Warehouse,
    control: psycopg.Connection,
    reader: Reader,
    spec: SystemSpec,
    table: TableSpec,
    report: PullReport,
) -> None:
    window = _window(control, spec, table, report)
    try:
        _note_drift(control, reader, spec, table)
        units = [unit for unit in reader.units(table, window) if not _is_merged(control, spec, table, unit)]
    except _READ_ERRORS as error:
        _refuse(
            control,
            reader,
            spec,
            table,
            _new_batch(control, spec, table, Unit(), window, report),
            error,
            report,
        )
        return
    # Nothing new is a batch too: it says that somebody has looked, and quarantine is looked at again.
    wanted: list[Unit | None] = list(units) or [None]
    for unit in wanted:
        batch_id = _new_batch(control, spec, table, unit or Unit(), window, report)
        try:
            rows = _land(target, reader, spec, table, unit, window, batch_id)
            report.rows[table.name] = report.rows.get(table.name, 0) + rows
        except _READ_ERRORS as error:
            _refuse(control, reader, spec, table, batch_id, error, report)


_READ_ERRORS = (LifecourseError, psycopg.Error, pa.ArrowException)


def _new_batch(
    control: psycopg.Connection,
    spec: SystemSpec,
    table: TableSpec,
    unit: Unit,
    window: Window,
    report: PullReport,
) -> int:
    return _one(
        control,
        """
        insert into meta.batch (pull_id, system, source_table, unit, unit_hash, business_day, window_from, window_to)
        values (%s, %s, %s, %s, %s, %s, %s, %s) returning batch_id
        """,
        (
            report.pull_id,
            spec.system,
            table.name,
            unit.name,
            unit.hash,
            report.business_day,
            window.after,
            window.until,
        ),
    )


def _refuse(
    control: psycopg.Connection,
    reader: Reader,
    spec: SystemSpec,
    table: TableSpec,
    batch_id: int,
    error: Exception,
    report: PullReport,
) -> None:
    message = _explain(error, spec, table)
    report.errors[table.name] = message
    drop_landing(control, batch_id)
    control.execute(
        "update meta.batch set status = 'refused', error = %s, finished_at = clock_timestamp() where batch_id = %s",
        (message, batch_id),
    )
    if isinstance(reader, PostgresReader) and not reader.in_snapshot:
        # A failed query has ended the snapshot: what would be read now would not agree with what is landed.
        raise LifecourseError(
            message, None, "nothing of this pull is merged; mend the table's entry, then pull again"
        ) from None


def _explain(error: Exception, spec: SystemSpec, table: TableSpec) -> str:
    if isinstance(error, LifecourseError):
        return str(error)
    if isinstance(error, psycopg.Error):
        return f"system {spec.system}, table {table.name}: {sanitised(error)}"
    return f"system {spec.system}, table {table.name}: {type(error).__name__} while reading"


def _window(control: psycopg.Connection, spec: SystemSpec, table: TableSpec, report: PullReport) -> Window:
    """From the watermark, or from the day's own beginning if that is earlier (a day pulled again), less the lag."""
    row = control.execute(
        "select pulled_to from meta.watermark where system = %s and source_table = %s",
        (spec.system, table.name),
    ).fetchone()
    if row is None:
        return Window(None, report.cutoff_at)
    after = min(row[0], start_of_day(report.business_day)) - table.lag
    return Window(after, report.cutoff_at)


def _is_merged(control: psycopg.Connection, spec: SystemSpec, table: TableSpec, unit: Unit) -> bool:
    """Whether a file with that content has been merged before, under whatever name."""
    if unit.hash is None:
        return False
    return (
        control.execute(
            "select 1 from meta.batch where system = %s and source_table = %s and unit_hash = %s and status = 'merged'",
            (spec.system, table.name, unit.hash),
        ).fetchone()
        is not None
    )


_BARE_COLUMN = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def _note_drift(control: psycopg.Connection, reader: Reader, spec: SystemSpec, table: TableSpec) -> None:
    """Compares the source's columns with those last accepted: missing or retyped stops, new is noted."""
    now = {column.name: column.type for column in reader.columns(table)}
    known: dict[str, str] = dict(
        control.execute(
            "select column_name, column_type from meta.source_column where system = %s and source_table = %s",
            (spec.system, table.name),
        ).fetchall()
    )
    used = {c.source for c in table.read_columns if c.source and _BARE_COLUMN.match(c.source)} - {
        "file_id",
        "row_number",
    }
    missing = sorted(name for name in used | (set(known) & used) if now and name not in now)
    retyped = sorted(name for name in used if name in known and name in now and known[name] != now[name])
    for name in missing:
        _record_change(control, spec, table, "missing_column", name, None)
    for name in retyped:
        _record_change(control, spec, table, "retyped_column", name, f"{known[name]} -> {now[name]}")
    if missing or retyped:
        raise LifecourseError(
            "; ".join(
                [f"column {name} is missing from the source" for name in missing]
                + [f"column {name} was {known[name]} and is now {now[name]}" for name in retyped]
            ),
            f"system {spec.system}, table {table.name}",
            f"mend the table in {spec.file.name}; if the new type is right: "
            f"lifecourse load accept-columns {spec.system} {table.name}",
        )
    for name, kind in now.items():
        if known and name not in known:
            _record_change(control, spec, table, "new_column", name, kind)
        if name not in known:
            control.execute(
                "insert into meta.source_column values (%s, %s, %s, %s) on conflict do nothing",
                (spec.system, table.name, name, kind),
            )


def _record_change(
    control: psycopg.Connection,
    spec: SystemSpec,
    table: TableSpec,
    change: str,
    column: str,
    detail: str | None,
) -> None:
    control.execute(
        """
        insert into meta.schema_change (system, source_table, change, column_name, detail)
        values (%s, %s, %s, %s, %s)
        on conflict (system, source_table, change, column_name) do update set noted_at = now(), detail = excluded.detail
        """,
        (spec.system, table.name, change, column, detail),
    )


def _land(
    target: Warehouse,
    reader: Reader,
    spec: SystemSpec,
    table: TableSpec,
    unit: Unit | None,
    window: Window,
    batch_id: int,
) -> int:
    """Fills ``landing.b<batch_id>``; rows read. `unit` None: the source has nothing new."""
    name = f"b{batch_id}"
    compared = healed = 0
    with target.connect(Role.LOADER) as connection, target.connect(Role.LOADER, autocommit=True) as for_vault:
        ddl.create_landing(connection, table, name)
        vault = Vault(for_vault)
        rows = 0
        if unit is not None:
            if isinstance(reader, PostgresReader) and not table.personal_columns:
                rows = reader.copy_into(table, window, connection, f"landing.{name}")
            else:
                for batch in reader.read(table, unit, window):
                    rows += _copy_batch(connection, table, name, batch, vault)
            if isinstance(reader, PostgresReader) and table.deletes == "compare":
                difference = find_differences(connection, reader, spec, table, name, window)
                compared = difference.rows_compared
                for batch in difference.late_rows:
                    healed += _copy_batch(connection, table, name, batch, vault)
                if healed:
                    healed -= difference.drop_known(connection)
        connection.execute(
            """
            update meta.batch set status = 'landed', rows_scanned = %s, rows_read = %s, rows_compared = %s,
                rows_healed = %s
            where batch_id = %s
            """,
            (rows, rows + healed, compared, healed, batch_id),
        )
        connection.commit()
    return rows + healed


def _copy_batch(
    connection: psycopg.Connection, table: TableSpec, name: str, batch: pa.RecordBatch, vault: Vault
) -> int:
    """Copies one Arrow batch into landing, with tokens in place of personal values."""
    columns: dict[str, pa.Array] = {}
    valid: dict[str, pa.Array] = {}
    years: dict[str, pa.Array] = {}
    written_at = _change_times(table, batch)
    for position, column_name in enumerate(batch.schema.names):
        column = batch.column(position)
        spec = table.columns.get(column_name)
        if spec is not None and spec.personal:
            tokens = vault.exchange(spec.personal, column.cast(pa.string()), written_at)
            columns[column_name], valid[column_name], years[column_name] = (
                tokens.token,
                tokens.is_valid,
                tokens.year,
            )
        else:
            columns[column_name] = column
    for spec in table.derived_columns:
        assert spec.of is not None
        if spec.derive == "is_valid":
            columns[spec.name] = valid[spec.of]
        elif spec.derive == "year":
            columns[spec.name] = years[spec.of]
        else:
            kind = table.columns[spec.of].personal
            assert spec.derive is not None and kind is not None
            plain = batch.column(batch.schema.get_field_index(spec.of)).cast(pa.string())
            columns[spec.name] = vault.derive(spec.derive, kind, plain)
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(
        pa.table(columns), buffer, pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    )
    statement = sql.SQL("copy landing.{} ({}) from stdin (format csv)").format(
        sql.Identifier(name), ddl.identifiers(list(columns))
    )
    with connection.cursor().copy(statement) as sink:
        sink.write(buffer.getbuffer())
    return batch.num_rows


def _change_times(table: TableSpec, batch: pa.RecordBatch) -> list[datetime | None] | None:
    """When the source wrote each row; None where the table has no change time."""
    if not table.personal_columns or not table.change_time or table.change_time not in batch.schema.names:
        return None
    column = batch.column(table.change_time)
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:
        return None
    return column.to_pylist()


def _one(
    connection: psycopg.Connection, query: str | sql.Composable, parameters: tuple[object, ...] = ()
) -> int:
    row = connection.execute(query, parameters).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]
