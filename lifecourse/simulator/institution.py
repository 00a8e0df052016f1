"""The make-believe institution: made whole up to a business day, and moved on day by day."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from lifecourse.errors import LifecourseError
from lifecourse.simulator import canaries, load
from lifecourse.simulator.almanac import HISTORY_DAYS, World, as_date, end_of
from lifecourse.simulator.bills import Bill, write_bills
from lifecourse.simulator.block import Block
from lifecourse.simulator.fault_log import Fault, append, read
from lifecourse.simulator.fault_plan import BILL_STATUS, FaultPlan, Kind, load_plan
from lifecourse.simulator.planting import DELETED_TABLES, STAMPED_TABLES, Planting, night_lots
from lifecourse.simulator.schema import (
    DATABASES,
    PAYMENTS,
    SIGNUP,
    SYSTEM_OF,
    TABLES,
    TEACHING,
    change_time_of,
    key_of,
)
from lifecourse.simulator.sheets import DAY, State
from lifecourse.simulator.truth import Truth
from lifecourse.simulator.world import frame_sheets, make_block

if TYPE_CHECKING:
    import pyarrow as pa

    from lifecourse.warehouse.connection import Warehouse

#: Blocks whose rows are held at once.
CHUNK = 20
DEFAULT_END_DAY = date(2026, 3, 1)


@dataclass
class Report:
    """What a step did: rows written per table, faults noted, seconds."""

    day: date
    rows: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    faults: int = 0
    seconds: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.rows.values())


class Institution:
    """An institution of so many customers, fixed by its seed, with the faults of a plan.

    `end_day` is the last business day that `create` fills in. The world opens three years earlier
    unless `opened_on` says otherwise, and its future is laid out for half a year more. `home` holds
    ``simulator/`` with the state, the list of faults and the truth.
    """

    def __init__(
        self,
        seed: int = 1,
        customers: int = 2_000,
        end_day: date = DEFAULT_END_DAY,
        faults: FaultPlan | Path | str | None = None,
        home: Path | None = None,
        opened_on: date | None = None,
    ) -> None:
        if not 1_000 <= customers <= 1_000_000:
            raise LifecourseError(f"{customers:,} customers", "customers", "choose 1,000 to 1,000,000")
        self.plan = faults if isinstance(faults, FaultPlan) else load_plan(faults)
        self.world = World(seed, customers, opened_on or end_day - timedelta(days=HISTORY_DAYS - 1))
        self.end_day = end_day
        if home is None:
            from lifecourse.settings import settings

            home = settings().home
        self.folder = home / "simulator"
        if not self.world.opened_on < end_day <= as_date(self.world.last_day):
            raise LifecourseError(
                f"the last day {end_day} is outside the institution's life", "end_day",
                f"choose a day from {self.world.opened_on + timedelta(days=1)} to {as_date(self.world.last_day)}",
            )  # fmt: skip

    # -- the public steps ----------------------------------------------------------------------

    def create(self, warehouse: Warehouse, progress: Callable[[str], None] | None = None) -> Report:
        """Make the three source databases anew, as they stand at the end of `end_day`."""
        with _connections(warehouse) as connections:
            return self.create_in(connections, progress)

    def advance(self, warehouse: Warehouse) -> Report:
        """Move the three databases on to the end of the next day."""
        with _connections(warehouse) as connections:
            return self.advance_in(connections)

    @classmethod
    def open(cls, warehouse: Warehouse, home: Path | None = None) -> Institution:
        """The institution that lives in the databases, as it was created."""
        with _connections(warehouse) as connections:
            return cls.open_in(connections, home)

    @classmethod
    def open_in(cls, connections: load.Connections, home: Path | None = None) -> Institution:
        """The same, from open connections."""
        try:
            row = (
                connections[TEACHING]
                .execute("select seed, customers, opened_on, today, faults from simulator.clock")
                .fetchone()
            )
        except psycopg.errors.UndefinedTable:
            row = None
        connections[TEACHING].rollback()
        if row is None:
            raise LifecourseError(
                "there is no simulated institution yet",
                DATABASES[TEACHING],
                "run `lifecourse simulate create`",
            )
        seed, customers, opened_on, today, plan = row
        return cls(seed, customers, today, FaultPlan.model_validate(plan), home, opened_on)

    # -- the same on open connections ----------------------------------------------------------

    def create_in(
        self, connections: load.Connections, progress: Callable[[str], None] | None = None
    ) -> Report:
        """`create` on open connections, one transaction per database."""
        began, moment = time.perf_counter(), end_of(self.end_day)
        report = Report(self.end_day)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.faults_file.unlink(missing_ok=True)
        shutil.rmtree(self.bills_folder, ignore_errors=True)
        load.create_tables(connections)
        faults: list[Fault] = []
        with Truth(self.folder / "truth") as truth:
            for states, noted, made in self._chunks(moment, None):
                for table, rows in states.items():
                    load.insert(connections, table, rows)
                    report.rows[table] = report.rows.get(table, 0) + rows.num_rows
                faults += noted
                for block, _ in made:
                    truth.add(block)
                if progress is not None and made:
                    progress(f"{made[-1][0].number + 1} of {self.world.blocks} blocks")
        load.finish_tables(connections)
        self._set_clock(connections, self.end_day)
        report.faults = append(self.faults_file, faults)
        for connection in connections.values():
            connection.commit()
        self._write_state(self.end_day)
        report.seconds = time.perf_counter() - began
        return report

    def advance_in(self, connections: load.Connections) -> Report:
        """`advance` on open connections. A step broken off half-way is finished by the next call."""
        began = time.perf_counter()
        today = {system: self._today(connection) for system, connection in connections.items()}
        day = min(min(today.values()) + timedelta(days=1), as_date(self.world.last_day) + timedelta(days=1))
        if day > as_date(self.world.last_day):
            raise LifecourseError(
                f"the institution's future is laid out up to {as_date(self.world.last_day)}", "advance",
                "create it anew with a later last day",
            )  # fmt: skip
        behind = {s: c for s, c in connections.items() if today[s] < day}
        report = Report(day)
        faults: list[Fault] = []
        for states, noted, made in self._chunks(end_of(day), end_of(day - timedelta(days=1))):
            for table, rows in states.items():
                if SYSTEM_OF[table] in behind:
                    load.upsert(behind, table, rows)
                    report.rows[table] = report.rows.get(table, 0) + rows.num_rows
            faults += noted
            for table, keys in self._deleted(made, day).items():
                if SYSTEM_OF[table] in behind and keys:
                    gone = load.delete(behind, table, keys)
                    report.deleted[table] = report.deleted.get(table, 0) + len(gone)
                    faults += [
                        Fault(Kind.HARD_DELETE, SYSTEM_OF[table], table, k, "soft_deleted_next_night", day)
                        for k in gone
                    ]
        self._set_clock(behind, day)
        report.faults = append(self.faults_file, faults)
        for connection in behind.values():
            connection.commit()
        self.end_day = day
        self._write_state(day)
        report.seconds = time.perf_counter() - began
        return report

    # -- files -----------------------------------------------------------------------------------

    @property
    def faults_file(self) -> Path:
        return self.folder / "faults.jsonl"

    @property
    def bills_folder(self) -> Path:
        return self.folder / "bills"

    def write_bills(self, warehouse: Warehouse, days: int = 31) -> list[Bill]:
        """Write the channels' bills that are ready on the institution's day: those of the `days` before it.

        A day's bill can be downloaded after ten the next morning, so the bill of the last day is not there
        yet. Bills that are there already stay as they are; those sent twice are noted as faults.
        """
        with _connections(warehouse) as connections:
            return self.write_bills_in(connections[PAYMENTS], days)

    def write_bills_in(self, connection: psycopg.Connection[Any], days: int = 31) -> list[Bill]:
        """`write_bills` on an open connection to the payment system's database."""
        last = self.end_day - timedelta(days=1)
        first = max(self.world.opened_on, self.end_day - timedelta(days=days))
        made = write_bills(connection, self.bills_folder, first, last, None, self.plan, self.world.seed)
        connection.rollback()
        self.note(*self._faults_of(made))
        return [bill for bill in made if not bill.is_late]

    def _faults_of(self, bills: list[Bill]) -> Iterator[Fault]:
        """What is wrong with bills, as notes for the list of faults."""
        for bill in bills:
            if bill.copy_of is not None:
                yield Fault(Kind.SAME_BILL_TWICE, "bills", bill.channel, bill.path.name, "counted_once", self.end_day,
                            {"copy_of": bill.copy_of.name})  # fmt: skip
            if bill.is_late:
                expect = f"reconciled:{BILL_STATUS[Kind.BILL_A_DAY_LATE]}"
                yield Fault(Kind.BILL_A_DAY_LATE, "bills", bill.channel, bill.path.name, expect, self.end_day,
                            {"bill_on": bill.bill_on.isoformat()})  # fmt: skip
            for each in bill.discrepancies:
                # What only the bill has is known by the channel's number, everything else by ours.
                is_unknown = each.kind is Kind.BILL_ROW_UNKNOWN
                key = each.entry.transaction_id if is_unknown else each.entry.own_id
                yield Fault(each.kind, "bills", bill.channel, key, f"reconciled:{BILL_STATUS[each.kind]}", self.end_day,
                            {"bill_on": bill.bill_on.isoformat(), "difference": str(each.difference)})  # fmt: skip

    def plant_canaries(self, warehouse: Warehouse) -> list[str]:
        """Put values that nobody else has into every personal column (see `canaries`), and list them."""
        with _connections(warehouse) as connections:
            planted = canaries.plant(connections, read(self.faults_file))
            for connection in connections.values():
                connection.commit()
        canaries.write(self.folder / "canaries.json", planted)
        return planted

    def note(self, *faults: Fault) -> int:
        """Add faults that others planted (the bill writer) to the list."""
        return append(self.faults_file, faults)

    def _write_state(self, day: date) -> None:
        body = {"seed": self.world.seed, "customers": self.world.customers, "today": day.isoformat(),
                "opened_on": self.world.opened_on.isoformat(), "faults": self.plan.model_dump(mode="json")}  # fmt: skip
        (self.folder / "state.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")

    # -- the clock -------------------------------------------------------------------------------

    def _set_clock(self, connections: load.Connections, day: date) -> None:
        plan = json.dumps(self.plan.model_dump(mode="json"))
        for connection in connections.values():
            connection.execute("create schema if not exists simulator")
            connection.execute(
                "create table if not exists simulator.clock (only_row boolean primary key default true check (only_row), "
                "today date not null, seed bigint not null, customers integer not null, opened_on date not null, "
                "faults jsonb not null)"
            )
            connection.execute(
                "insert into simulator.clock (today, seed, customers, opened_on, faults) values (%s, %s, %s, %s, %s) "
                "on conflict (only_row) do update set today = excluded.today, seed = excluded.seed, "
                "customers = excluded.customers, opened_on = excluded.opened_on, faults = excluded.faults",
                (day, self.world.seed, self.world.customers, self.world.opened_on, plan),
            )

    def _today(self, connection: psycopg.Connection[Any]) -> date:
        row = connection.execute("select today from simulator.clock").fetchone()
        assert row is not None
        today: date = row[0]
        return today

    # -- rows ------------------------------------------------------------------------------------

    def _chunks(
        self, moment: int, since: int | None
    ) -> Iterator[tuple[dict[str, pa.Table], list[Fault], list[tuple[Block, Planting]]]]:
        """Rows per table (new or changed after `since`), chunk by chunk; the institution's own come first."""
        import pyarrow as pa

        own = {}
        for one in frame_sheets(self.world):
            state = one.state(moment, since)
            if len(state):
                own[one.table] = load.to_arrow(state)
        yield own, [], []
        for start in range(0, self.world.blocks, CHUNK):
            parts: dict[str, list[pa.Table]] = {}
            faults: list[Fault] = []
            made = []
            for number in range(start, min(start + CHUNK, self.world.blocks)):
                block, planting = make_block(self.world, number, self.plan)
                made.append((block, planting))
                faults += self._noted(planting, moment, since)
                for table, sheet in block.sheets.items():
                    state = sheet.state(moment, since)
                    if table in STAMPED_TABLES:
                        faults += self._changed_after_cutoff(state, planting, moment)
                    if len(state):
                        parts.setdefault(table, []).append(load.to_arrow(state))
            yield {table: pa.concat_tables(tables) for table, tables in parts.items()}, faults, made

    def _noted(self, planting: Planting, moment: int, since: int | None) -> Iterator[Fault]:
        """Faults that show at `moment` and did not at `since`."""
        night = as_date(moment // DAY)
        for p in planting.planted:
            if p.only_later and since is None:
                continue
            shows = (p.since <= moment) & (moment < p.until)
            if since is not None:
                shows &= p.since > since
            for i in np.flatnonzero(shows):
                details = p.details[i] if p.details else {}
                yield Fault(
                    p.kind,
                    SYSTEM_OF[p.table],
                    p.table,
                    key_text(p.table, int(p.keys[i])),
                    p.expect,
                    night,
                    details,
                )

    def _changed_after_cutoff(self, state: State, planting: Planting, moment: int) -> list[Fault]:
        """Somebody works on some of the day's rows again, just after midnight and before the pull."""
        rate = self.plan.rate(Kind.CHANGED_AFTER_CUTOFF)
        if not rate:
            return []
        changed = state.columns[change_time_of(state.table)]
        day = moment // DAY
        free = ~planting.struck.get(state.table, np.zeros(int(state.index.max(initial=-1)) + 1, dtype=bool))[
            state.index
        ]
        lots = night_lots(state.keys, self.world.seed, Kind.CHANGED_AFTER_CUTOFF, state.table, int(day))
        # Never the same row two nights running, so that the next night does merge it.
        turn = (state.keys + day) % 2 == 0
        rows = np.flatnonzero((changed > moment - DAY) & free & turn & (lots < 2 * rate))
        changed[rows] = moment + 60 + (lots[rows] / rate * 600).astype(np.int64)
        return [
            Fault(Kind.CHANGED_AFTER_CUTOFF, SYSTEM_OF[state.table], state.table, key_text(state.table, int(k)),
                  "merged_next_night", as_date(day))
            for k in state.keys[rows]
        ]  # fmt: skip

    def _deleted(self, blocks: list[tuple[Block, Planting]], day: date) -> dict[str, list[int]]:
        """Rows that disappear on that day: old ones to which nothing else will happen, and no other fault."""
        rate, found = self.plan.rate(Kind.HARD_DELETE), dict[str, list[int]]()
        if not rate:
            return found
        old = end_of(day - timedelta(days=3))
        for block, planting in blocks:
            for table in DELETED_TABLES:
                sheet = block.sheets[table]
                struck = planting.struck.get(table, np.zeros(len(sheet), dtype=bool))
                lots = night_lots(sheet.keys, self.world.seed, Kind.HARD_DELETE, table, day.toordinal())
                going = (sheet.settled() < old) & (sheet.visible < old) & ~struck & (lots < rate)
                found.setdefault(table, []).extend(sheet.keys[going].tolist())
        return found


def key_text(table: str, key: int) -> str:
    """The key as text, as it stands in the source."""
    kind = TABLES[SYSTEM_OF[table]][table][key_of(table)]
    return f"{kind[5:]}{key}" if kind.startswith("code:") else str(key)


@contextmanager
def _connections(warehouse: Warehouse) -> Iterator[Mapping[str, psycopg.Connection[Any]]]:
    with ExitStack() as stack:
        yield {
            system: stack.enter_context(warehouse.connect("simulator", database=DATABASES[system]))
            for system in (SIGNUP, TEACHING, PAYMENTS)
        }
