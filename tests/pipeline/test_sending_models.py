"""Models of a night sent without dbt: in the order in which they read each other, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecourse.building import nights
from lifecourse.building.dbt import Dbt
from lifecourse.building.nights import BODY, Ending, Step
from lifecourse.warehouse.connection import Role, Warehouse


def send(warehouse: Warehouse, *steps: Step, sessions: int = 3) -> tuple[dict[str, Ending], list[str]]:
    """The endings by model, and the models in the order in which they were told of."""
    told: list[str] = []
    endings = nights.run(
        steps,
        lambda: warehouse.connect(Role.TRANSFORMER, autocommit=True),
        sessions,
        lambda ending: told.append(ending.unique_id),
    )
    return {each.unique_id: each for each in endings}, told


def step(name: str, statements: str, *reads: str) -> Step:
    return Step(name, name, statements, frozenset(reads))


def test_a_model_comes_after_those_that_it_reads(warehouse: Warehouse) -> None:
    steps = [
        step("last", "create table core.last_one as select n + 1 as n from core.second_one", "second", "of no concern"),
        step("second", "create table core.second_one as select n + 1 as n from core.first_one", "first"),
        step("first", "select pg_sleep(0.2); create table core.first_one as select 1 as n"),
        *(step(f"other {n}", "select 1") for n in range(30)),
    ]  # fmt: skip
    endings, told = send(warehouse, *steps)
    assert {each.status for each in endings.values()} == {"success"}
    assert sorted(told) == sorted(each.unique_id for each in steps)
    assert told.index("first") < told.index("second") < told.index("last")
    with warehouse.connect(Role.TRANSFORMER) as connection:
        assert connection.execute("select n from core.last_one").fetchone() == (3,)


def test_what_reads_a_failed_model_is_skipped_and_nothing_of_it_stays(warehouse: Warehouse) -> None:
    endings, told = send(
        warehouse,
        step("broken", "create table core.half as select 1 as n; select cast('Li Na' as integer)"),
        step("reads it", "select 1", "broken"),
        step("reads that", "select 1", "reads it", "alone"),
        step("alone", "create table core.alone as select 1 as n"),
    )
    assert {name: each.status for name, each in endings.items()} == {
        "broken": "error", "reads it": "skipped", "reads that": "skipped", "alone": "success",
    }  # fmt: skip
    assert "22P02" in endings["broken"].message and "Li Na" not in endings["broken"].message
    assert sorted(told) == ["alone", "broken"]
    with warehouse.connect(Role.TRANSFORMER) as connection:
        assert connection.execute("select to_regclass('core.half'), to_regclass('core.alone')::text").fetchone() == (
            None, "core.alone",
        )  # fmt: skip


def test_what_is_local_to_a_model_does_not_go_over_to_the_next(warehouse: Warehouse) -> None:
    table = "create temporary table recomputed on commit drop as select current_setting('enable_nestloop') as value"
    endings, _ = send(
        warehouse,
        step("one", f"set local enable_nestloop = off; {table}"),
        step("two", f"{table}; create table core.seen as select value from pg_temp.recomputed", "one"),
        sessions=1,
    )
    assert {each.status for each in endings.values()} == {"success"}
    with warehouse.connect(Role.TRANSFORMER) as connection:
        assert connection.execute("select value from core.seen").fetchone() == ("on",)


def test_a_lost_session_ends_the_night(warehouse: Warehouse) -> None:
    steps = [step("killed", "select pg_terminate_backend(pg_backend_pid())")]
    steps += [step(f"reads {n}", "select 1", "killed") for n in range(3)]
    with pytest.raises(Exception, match="terminat"):
        send(warehouse, *steps)


def test_a_model_that_reads_its_own_table_is_sent_the_other_way() -> None:
    ways = [f"insert {BODY}", f"keep and insert {BODY}"]
    assert nights.statements(ways, '"core"."a"', 'from "core"."b" -- b') == 'insert from "core"."b" -- b\n'
    assert nights.statements(ways, '"core"."a"', 'from "core"."a"') == 'keep and insert from "core"."a"\n'


@pytest.mark.slow
def test_kept_statements_are_those_that_dbt_writes(warehouse: Warehouse, tmp_path: Path) -> None:
    variables = {
        "as_of": "2026-02-10", "build_id": "one", "build_kind": "incremental", "test_scope": "changed",
        "since_load_id": 3, "last_load_id": 8, "purchase_event": "order", "target_schema": "core",
        "canonical_schema": "canonical",
    }  # fmt: skip
    dbt = Dbt(warehouse, work_dir=tmp_path)
    dbt._night_statements(variables, dbt._standing(variables))
    # The night after, from what was kept, and from dbt again.
    variables |= {"as_of": "2026-02-11", "build_id": "two", "since_load_id": 8, "last_load_id": 11}
    dbt = Dbt(warehouse, work_dir=tmp_path)
    kept = dbt._night_statements(variables, dbt._standing(variables))
    for file in (tmp_path / "manifests").glob("*.models.json"):
        file.unlink()
    again = Dbt(warehouse, work_dir=tmp_path)
    assert kept == again._night_statements(variables, again._standing(variables))
    assert any("2026-02-11" in text for text in kept.values())
    models = {
        node.unique_id: node
        for node in again.manifest(variables).nodes.values()
        if node.resource_type == "model" and "staging" not in node.tags
    }
    left_to_dbt = {node.name for key, node in models.items() if key not in kept}
    assert left_to_dbt == {"action_log"}, (
        "a model with a strategy or hook of its own costs a night a run of dbt"
    )
    assert not any(BODY in text for text in kept.values())
