"""Every planted fault is where the list says it should be, and nothing else is quarantined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from lifecourse.settings import settings
from lifecourse.simulator.fault_log import Fault, read
from lifecourse.simulator.institution import Institution
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Role, Warehouse
from lifecourse.warehouse.setup import drop_databases, set_up
from tests.support import payments_server, run_night, write_last_bills

pytestmark = pytest.mark.slow

FIRST = date(2026, 3, 1)
SECOND = FIRST + timedelta(days=1)
PLANS = Path(__file__).parents[2] / "lifecourse" / "simulator" / "faults"


@dataclass
class Nights:
    """A warehouse after two nights, and what was planted."""

    warehouse: Warehouse
    faults: list[Fault]

    def query(self, text: str) -> list[tuple]:  # type: ignore[type-arg]
        with self.warehouse.connect(Role.LOADER) as connection:
            return connection.execute(text.encode()).fetchall()


@contextmanager
def _own_home(home: Path, warehouse: Warehouse) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, payments_server(warehouse) as address:
        patch.setenv("LIFECOURSE_PAYMENTS_URL", address)
        patch.setenv("LIFECOURSE_BILLS_DIR", str(home / "simulator" / "bills"))
        yield


# One file with every kind of fault, and one with two faults on a row and other rates.
@pytest.fixture(scope="module", params=["default", "two_on_a_row"])
def nights(request: pytest.FixtureRequest, cluster, tmp_path_factory) -> Iterator[Nights]:  # type: ignore[no-untyped-def]
    home = tmp_path_factory.mktemp("institution")
    warehouse = cluster.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "LIFECOURSE_WAREHOUSE_URL",
            warehouse.with_suffix("").url(Role.ADMIN, warehouse.maintenance_database),
        )
        patch.setenv(SUFFIX_VARIABLE, warehouse.suffix)
        settings.cache_clear()
        set_up(warehouse, ["sim_signup", "sim_teaching", "sim_payments"])
        institution = Institution(customers=1000, faults=PLANS / f"{request.param}.yml", home=home)
        institution.create(warehouse)
        with _own_home(home, warehouse):
            write_last_bills(warehouse, FIRST, home, same_bill_twice=0.5)
            run_night(warehouse, FIRST)
            institution.advance(warehouse)
            write_last_bills(warehouse, SECOND, home, same_bill_twice=0.5)
            run_night(warehouse, SECOND)
        yield Nights(warehouse, read(home / "simulator" / "faults.jsonl"))
    settings.cache_clear()
    drop_databases(warehouse)


def _quarantine(nights: Nights) -> dict[tuple[str, str, str], tuple[str, frozenset[str]]]:
    """(system, table, key) -> (status, rules) of every row that ever was in quarantine."""
    found = {}
    tables = nights.query(
        "select relname from pg_class where relnamespace = 'quarantine'::regnamespace and relkind = 'r'"
    )
    for (name,) in tables:
        system, table = name.split("__")
        rows = nights.query(
            f"select _identity, _status, _rules from quarantine.{name} order by _quarantine_id"
        )
        for identity, status, rules in rows:
            found[system, table, identity.removeprefix("k:")] = (status, frozenset(rules))
    return found


def _key_column(nights: Nights, system: str, table: str) -> str:
    [(name,)] = nights.query(
        f"""
        select attname from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
        where indrelid = 'raw.{system}__{table}'::regclass and indisprimary
        """
    )
    return name


def _merged(nights: Nights, system: str, table: str) -> dict[str, bool]:
    """Key -> whether it is alive, of every row in raw."""
    column = _key_column(nights, system, table)
    return dict(nights.query(f"select {column}, _deleted_at is null from raw.{system}__{table}"))


def test_every_fault_is_where_it_should_be(nights: Nights) -> None:
    quarantine = _quarantine(nights)
    merged = {
        (fault.system, fault.table): _merged(nights, fault.system, fault.table)
        for fault in nights.faults
        if fault.expect != "counted_once"
    }
    misplaced = []
    for fault in nights.faults:
        place = (fault.system, fault.table, fault.key)
        status, rules = quarantine.get(place, ("absent", frozenset()))
        alive = merged.get((fault.system, fault.table), {}).get(fault.key)
        match fault.expect.split(":"):
            case ["quarantined", rule]:
                right = status == "open" and rule in rules
            case ["merged" | "merged_next_night" | "found_by_key_comparison"]:
                # What the last advance has planted for the next night is not due yet.
                is_due = fault.expect == "merged" or fault.night < SECOND
                right = (alive is True and status != "open") or not is_due
            case ["soft_deleted_next_night"]:
                right = alive is False or fault.night > SECOND
            case ["counted_once"]:
                right = True  # see test_a_bill_sent_twice_counts_once
            case _:
                right = False
        if not right:
            misplaced.append((fault, status, sorted(rules), alive))
    assert not misplaced
    assert nights.faults


def test_nothing_else_is_quarantined(nights: Nights) -> None:
    expected = {
        (fault.system, fault.table, fault.key)
        for fault in nights.faults
        # A child that came before its parent in the last night still waits for the next one.
        if fault.expect.startswith("quarantined:") or (fault.night == SECOND and "rule" in fault.details)
    }
    # A row that waited for its parent, or was mended since, is closed; what is open must have been planted.
    still_open = {place for place, (status, _) in _quarantine(nights).items() if status == "open"}
    assert still_open - expected == set()


def test_rows_with_two_faults_are_quarantined_once_with_both_rules(nights: Nights) -> None:
    planted: dict[tuple[str, str, str], set[str]] = {}
    for fault in nights.faults:
        if fault.expect.startswith("quarantined:"):
            planted.setdefault((fault.system, fault.table, fault.key), set()).add(fault.expect.split(":")[1])
    quarantine = _quarantine(nights)
    doubles = {place: rules for place, rules in planted.items() if len(rules) > 1}
    assert doubles
    assert all(quarantine[place][1] >= rules for place, rules in doubles.items())


def test_no_row_is_lost(nights: Nights) -> None:
    [(unequal, batches)] = nights.query(
        """
        select count(*) filter (
                where rows_read <> rows_inserted + rows_updated + rows_unchanged + rows_quarantined
            ), count(*)
        from meta.batch where status = 'merged'
        """
    )
    assert unequal == 0
    assert batches > 80
    assert nights.query("select distinct status from meta.batch") == [("merged",)]


def test_the_second_night_reads_only_what_changed(nights: Nights) -> None:
    rows = dict(
        nights.query(
            "select business_day::text, sum(rows_scanned) from meta.batch where system <> 'bills' group by 1"
        )
    )
    assert rows["2026-03-02"] * 20 < rows["2026-03-01"]


def test_a_bill_sent_twice_counts_once(nights: Nights) -> None:
    [(rows, transactions)] = nights.query(
        """
        select count(*), count(distinct (channel, channel_transaction_id, coalesce(channel_refund_id, '')))
        from canonical.settlement_bills
        """
    )
    assert rows == transactions > 0
