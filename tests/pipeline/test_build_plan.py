"""What a build has to do, told from meta alone: no dbt runs here."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from lifecourse import building
from lifecourse.building import plan as planning
from lifecourse.building.dbt import code_hash, rules_hash
from lifecourse.errors import LifecourseError
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse

DAY = date(2026, 3, 1)
NEXT = DAY + timedelta(days=1)


def deliver(warehouse: Warehouse, day: date, without: str = "") -> None:
    with warehouse.connect(Role.LOADER) as connection:
        for system in load_systems():
            if system != without:
                connection.execute(
                    "insert into meta.delivery values (%s, %s, now(), now(), 1) on conflict do nothing",
                    (system, day),
                )


def touch(warehouse: Warehouse, load_id: int, kind: str, key: str, source_table: str | None = None) -> None:
    with warehouse.connect(Role.LOADER) as connection:
        connection.execute("insert into meta.touched values (%s, %s, %s)", (load_id, kind, key))
        if source_table:
            connection.execute(
                "insert into meta.batch (system, source_table, business_day, window_to, status, load_id, rows_read,"
                " rows_inserted, rows_updated, rows_unchanged, rows_quarantined)"
                " values ('teaching', %s, '2026-03-01', now(), 'merged', %s, 1, 1, 0, 0, 0)",
                (source_table, load_id),
            )


def published(warehouse: Warehouse, build_id: str, as_of: date = DAY, **more: Any) -> str:
    """A build that went all the way, and core with it."""
    values: dict[str, Any] = {
        "code_hash": code_hash(),
        "rules_hash": rules_hash(),
        "last_load_id": 5,
        **more,
    }
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("create table if not exists core.changed_customer (customer_id text)")
        connection.execute(
            "insert into meta.build (build_id, as_of, kind, last_load_id, code_hash, rules_hash, status)"
            " values (%s, %s, 'full', %s, %s, %s, 'published')",
            (build_id, as_of, values["last_load_id"], values["code_hash"], values["rules_hash"]),
        )
    with warehouse.connect(Role.PUBLISHER) as connection:
        connection.execute(
            "insert into meta.publication (build_id, as_of, kind, last_load_id, rows, rows_written)"
            " values (%s, %s, 'full', %s, %s, %s)",
            (build_id, as_of, values["last_load_id"], Jsonb({}), Jsonb({})),
        )
    return build_id


def plan(warehouse: Warehouse, as_of: date, full: bool = False, known_at: int | None = None) -> planning.Plan:
    with warehouse.connect(Role.TRANSFORMER) as connection:
        return planning.make(connection, as_of, full, known_at)


def test_the_first_build_is_full(warehouse: Warehouse) -> None:
    touch(warehouse, 3, "learner", "1")
    made = plan(warehouse, DAY)
    assert (made.kind, made.schema_name, made.since_load_id, made.last_load_id) == ("full", "core", 0, 3)


def test_the_next_night_is_incremental_from_the_published_load(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    touch(warehouse, 8, "learner", "1")
    made = plan(warehouse, NEXT)
    assert (made.kind, made.since_load_id, made.last_load_id) == ("incremental", 5, 8)


@pytest.mark.parametrize("changed", ["code_hash", "rules_hash"])
def test_new_models_or_rules_build_everybody(warehouse: Warehouse, changed: str) -> None:
    published(warehouse, "b1", **{changed: "another"})
    assert plan(warehouse, NEXT).kind == "full"


def test_a_load_that_touched_everybody_builds_everybody(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    touch(warehouse, 8, "all", "*", "attendance")
    assert plan(warehouse, NEXT).kind == "full"


def test_campuses_and_closed_days_do_not(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    touch(warehouse, 8, "all", "*", "campuses")
    touch(warehouse, 9, "all", "*", "closed_days")
    assert plan(warehouse, NEXT).kind == "incremental"


def test_an_old_day_goes_to_a_schema_of_its_own(warehouse: Warehouse) -> None:
    published(warehouse, "b1", as_of=NEXT)
    made = plan(warehouse, DAY)
    assert (made.kind, made.schema_name, made.is_published) == ("full", "asof_2026_03_01", False)


def test_old_knowledge_too(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    made = plan(warehouse, DAY, known_at=3)
    assert (made.schema_name, made.known_at_load) == ("asof_2026_03_01_known_3", 3)


def test_after_a_rollback_everybody_is_built(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    published(warehouse, "b2", as_of=NEXT)
    with warehouse.connect(Role.PUBLISHER) as connection:
        connection.execute("update meta.publication set rolled_back_at = now() where build_id = 'b2'")
        connection.execute("update meta.build set status = 'rolled_back' where build_id = 'b2'")
    made = plan(warehouse, NEXT)
    assert made.kind == "full"


def test_after_a_full_build_that_was_not_published_everybody_is_built(warehouse: Warehouse) -> None:
    published(warehouse, "b1")
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "insert into meta.build (build_id, as_of, kind, last_load_id, code_hash, rules_hash, status, stage_seconds)"
            " values ('b2', %s, 'full', 6, %s, %s, 'failed', '{\"run\": 1}')",
            (NEXT, code_hash(), rules_hash()),
        )
    assert plan(warehouse, NEXT).kind == "full"


def test_a_build_waits_for_every_system(warehouse: Warehouse) -> None:
    deliver(warehouse, DAY, without="payments")
    with pytest.raises(LifecourseError, match=r"not delivered yet: payments \(last: never\)"):
        building.begin(DAY, into=warehouse)
    deliver(warehouse, DAY)
    assert building.begin(DAY, into=warehouse)


def test_a_later_delivery_covers_the_day(warehouse: Warehouse) -> None:
    deliver(warehouse, NEXT)
    assert building.begin(DAY, into=warehouse)


def test_two_at_once_are_one_build(warehouse: Warehouse) -> None:
    deliver(warehouse, DAY)
    first = building.begin(DAY, into=warehouse)
    assert building.begin(DAY, into=warehouse) == first
    touch(warehouse, 9, "learner", "1")
    assert building.begin(DAY, into=warehouse) != first, "something new was loaded"


def test_a_published_night_is_not_built_again(warehouse: Warehouse) -> None:
    deliver(warehouse, DAY)
    touch(warehouse, 5, "learner", "1")
    published(warehouse, "b1")
    assert building.begin(DAY, into=warehouse) == "b1"
    assert building.transform("b1", warehouse).status == "published"
    assert building.audit("b1", warehouse).status == "published"
    assert building.publish("b1", warehouse).status == "published"
    assert building.begin(DAY, full=True, into=warehouse) != "b1"


def test_a_build_that_another_took_the_place_of_says_so(warehouse: Warehouse) -> None:
    deliver(warehouse, DAY)
    first = building.begin(DAY, into=warehouse)
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            "update meta.build set status = 'failed', error = 'superseded by build b2' where build_id = %s",
            (first,),
        )
    for stage in (building.transform, building.audit, building.publish):
        with pytest.raises(building.Superseded, match="superseded by build b2"):
            stage(first, warehouse)


def test_an_unknown_build_is_told(warehouse: Warehouse) -> None:
    with pytest.raises(LifecourseError, match="there is no such build"):
        building.transform("b0", warehouse)


def test_without_a_payment_system_an_enrolment_is_the_purchase() -> None:
    systems = load_systems()
    assert planning.purchase_event(systems) == "order"
    without = {name: spec for name, spec in systems.items() if name != "payments"}
    assert planning.purchase_event(without) == "enrolment"
