"""The institution in its databases: made, moved on, opened again."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.simulator import institution as module
from lifecourse.simulator.fault_log import Fault, append, read
from lifecourse.simulator.fault_plan import BILL_STATUS, Kind
from lifecourse.simulator.institution import Institution
from lifecourse.simulator.schema import DATABASES, SYSTEM_OF, TEACHING, change_time_of, key_of
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.roles import SIMULATED
from lifecourse.warehouse.setup import set_up

LAST = date(2026, 3, 1)
NEXT = LAST + timedelta(days=1)


@pytest.fixture(scope="module")
def at(module_warehouse: Warehouse) -> Warehouse:
    return set_up(module_warehouse, SIMULATED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("institution")


def _rows(at: Warehouse, query: str, system: str, role: Role = Role.SIMULATOR) -> list[tuple]:  # type: ignore[type-arg]
    with at.connect(role, database=DATABASES[system]) as connection:
        return connection.execute(query.encode()).fetchall()


def _sums(at: Warehouse) -> dict[str, str]:
    """A checksum of every table."""
    return {
        table: _rows(
            at, f"select coalesce(md5(string_agg(t::text, '|' order by {key_of(table)})), '') from {table} as t", system
        )[0][0]
        for table, system in SYSTEM_OF.items()
    }  # fmt: skip


@pytest.fixture(scope="module")
def lived(at: Warehouse, folder: Path) -> dict[str, dict[str, str]]:
    """Checksums after creation, after a creation in other chunks, and after a day, under the default faults."""
    sums = {}
    institution = Institution(seed=5, customers=1_000, home=folder)
    institution.create(at)
    sums["first"] = _sums(at)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 1)
        Institution(seed=5, customers=1_000, home=folder).create(at)
        sums["again"] = _sums(at)
        Institution.open(at, folder).advance(at)
    sums["next"] = _sums(at)
    return sums


def test_the_same_seed_gives_the_same_databases_in_chunks_of_any_size(lived) -> None:
    assert lived["first"] == lived["again"]


def test_a_day_changes_what_it_changes(lived) -> None:
    changed = {table for table in lived["next"] if lived["next"][table] != lived["again"][table]}
    assert {"attendance", "homework", "learning_sessions", "leads", "touchpoints", "payments"} <= changed
    assert not {"campuses", "courses", "exam_calendar", "staff", "teachers"} & changed


def test_a_day_brings_rows_of_that_day_and_late_ones(lived, at: Warehouse, folder: Path) -> None:
    late = {(f.table, f.key) for f in read(folder / "simulator" / "faults.jsonl") if f.kind == Kind.LATE_ROW}
    assert late
    for table in ("learning_sessions", "touchpoints"):
        when = change_time_of(table)
        newest = _rows(at, f"select max({when})::timestamp from {table}", SYSTEM_OF[table])[0][0]
        # Rows of the next day are there; nothing lies further ahead than the work after midnight.
        assert newest.date() in (NEXT, NEXT + timedelta(days=1))
    keys = {row[0] for row in _rows(at, "select session_id::text from learning_sessions", TEACHING)}
    assert {key for table, key in late if table == "learning_sessions"} <= keys


def test_every_kind_of_fault_is_listed_with_what_must_become_of_it(lived, folder: Path) -> None:
    faults = read(folder / "simulator" / "faults.jsonl")
    assert {f.kind for f in faults} == {*Kind} - {Kind.SAME_BILL_TWICE, *BILL_STATUS}
    assert {f.night for f in faults} == {LAST, NEXT}
    assert {f.expect.split(":")[0] for f in faults} == {
        "quarantined", "merged", "merged_next_night", "found_by_key_comparison", "soft_deleted_next_night",
    }  # fmt: skip
    assert len({(f.kind, f.table, f.key, f.expect) for f in faults}) == len(faults)


def test_the_children_listed_lack_their_parent_that_night(lived, at: Warehouse, folder: Path) -> None:
    children = [f for f in read(folder / "simulator" / "faults.jsonl") if f.kind == Kind.CHILD_BEFORE_PARENT]
    parents = {row[0] for row in _rows(at, "select lesson_id::text from lessons", TEACHING)}
    assert {f.details["parent_key"] for f in children if f.night == LAST} <= parents
    assert not {f.details["parent_key"] for f in children if f.night == NEXT} & parents


def test_deleted_rows_are_gone(lived, at: Warehouse, folder: Path) -> None:
    gone = [f for f in read(folder / "simulator" / "faults.jsonl") if f.kind == Kind.HARD_DELETE]
    assert len(gone) > 5
    for fault in gone:
        query = f"select count(*) from {fault.table} where {key_of(fault.table)} = '{fault.key}'"
        assert _rows(at, query, fault.system) == [(0,)]


def test_rows_changed_after_the_cut_off_lie_after_it(lived, at: Warehouse, folder: Path) -> None:
    changed = [f for f in read(folder / "simulator" / "faults.jsonl") if f.kind == Kind.CHANGED_AFTER_CUTOFF]
    assert changed
    for fault in (f for f in changed if f.night == NEXT):
        query = f"select updated_at::timestamp from {fault.table} where {key_of(fault.table)} = '{fault.key}'"
        if fault.system == "signup":
            assert _rows(at, query, fault.system)[0][0].date() == NEXT + timedelta(days=1)


def test_the_warehouse_may_read_and_not_write(lived, at: Warehouse) -> None:
    for system in DATABASES:
        [(may_write,)] = _rows(
            at,
            "select bool_or(has_table_privilege(c.oid, 'insert, update, delete')) from pg_class as c "
            "where relnamespace = 'public'::regnamespace and relkind = 'r'",
            system,
            Role.SOURCE_READER,
        )
        assert may_write is False
    assert _rows(at, "select count(*) > 0 from orders", "payments", Role.SOURCE_READER) == [(True,)]


def test_shapes_that_a_connector_may_trip_over(lived, at: Warehouse) -> None:
    def kind(system: str, table: str, column: str) -> str:
        query = (
            "select data_type from information_schema.columns "
            f"where table_name = '{table}' and column_name = '{column}' and table_schema = 'public'"
        )
        return str(_rows(at, query, system)[0][0])

    assert kind("signup", "leads", "created_at") == "timestamp without time zone"
    assert kind("teaching", "lessons", "starts_at") == "timestamp with time zone"
    assert kind("teaching", "homework", "due_on") == "text"
    assert kind("teaching", "learners", "birth_date") == "text"
    assert kind("signup", "leads", "lead_id") == "bigint"
    assert kind("payments", "orders", "order_id") == "text"
    # A lesson in the morning in Shanghai begins in the small hours of UTC.
    assert _rows(at, "select bool_and(extract(hour from starts_at at time zone 'Asia/Shanghai') between 9 and 19) from lessons",
                 "teaching") == [(True,)]  # fmt: skip
    assert _rows(
        at, "select bool_and(extract(hour from scheduled_at) between 9 and 19) from trials", "signup"
    ) == [(True,)]


def test_a_step_broken_off_half_way_is_finished_by_the_next(lived, at: Warehouse, folder: Path) -> None:
    before = _sums(at)
    with at.connect(Role.SIMULATOR, database=DATABASES[TEACHING]) as connection:
        connection.execute("update simulator.clock set today = today - 1")
    report = Institution.open(at, folder).advance(at)
    assert report.day == NEXT
    assert {SYSTEM_OF[table] for table in report.rows} == {TEACHING}
    assert _sums(at) == before


def test_the_truth_tells_who_is_who(lived, folder: Path) -> None:
    truth = folder / "simulator" / "truth"
    people = pq.read_table(truth / "people.parquet").to_pydict()
    records = pq.read_table(truth / "records.parquet").to_pydict()
    runs = pq.read_table(truth / "runs.parquet").to_pydict()
    assert sum(day <= LAST for day in people["first_enquiry_on"]) == 1_000
    leads = [p for t, p in zip(records["table"], records["person_id"], strict=True) if t == "leads"]
    assert len(set(leads)) < len(leads)  # people recorded twice
    assert set(records["person_id"]) <= set(people["person_id"])
    left = [r for r in runs["reason"] if r is not None]
    assert len(left) > 100
    assert set(runs["ending"]) == {"lapsed", "withdrew", "refunded", None}


def test_state_and_bills(lived, at: Warehouse, folder: Path) -> None:
    state = json.loads((folder / "simulator" / "state.json").read_text())
    assert state["today"] == NEXT.isoformat()
    institution = Institution.open(at, folder)
    bills = institution.write_bills(at, 10)
    # The bill of the institution's day comes the next morning.
    assert {b.bill_on for b in bills} == {NEXT - timedelta(days=k) for k in range(1, 11)}
    assert not institution.write_bills(at, 10)


def test_canaries_sit_in_every_personal_column(lived, at: Warehouse, folder: Path) -> None:
    planted = Institution.open(at, folder).plant_canaries(at)
    assert len(planted) == len(set(planted)) > 60
    assert json.loads((folder / "simulator" / "canaries.json").read_text()) == planted
    text = "".join(row[0] for row in _rows(at, "select t::text from learners as t", TEACHING))
    assert sum(canary in text for canary in planted) >= 10


def test_too_few_customers_are_refused() -> None:
    with pytest.raises(LifecourseError, match="1,000 to 1,000,000"):
        Institution(customers=10)


def test_no_institution_yet(module_warehouse: Warehouse, cluster, tmp_path: Path) -> None:
    fresh = cluster.fresh()
    try:
        set_up(fresh, SIMULATED)
        with pytest.raises(LifecourseError, match="no simulated institution yet"):
            Institution.open(fresh, tmp_path)
    finally:
        cluster.drop(fresh)


def test_a_fault_is_listed_once(tmp_path: Path) -> None:
    fault = Fault(
        "late_row", "signup", "touchpoints", "7", "merged_next_night", LAST, {"hours_before_cutoff": 1.5}
    )
    assert append(tmp_path / "faults.jsonl", [fault, fault]) == 1
    assert append(tmp_path / "faults.jsonl", [fault]) == 0
    assert read(tmp_path / "faults.jsonl") == [fault]
