"""Models of which nothing that they read has changed since the night before: not sent, and nothing else left out."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lifecourse.building import nights
from lifecourse.building.nights import UNCHANGED, Ending, Step
from lifecourse.building.unchanged import Memory, references
from lifecourse.warehouse.connection import Role, Warehouse

#: name -> what it reads. `seen` is a view.
TEXTS = {
    "leads_of": 'select lead_id from "lc"."canonical"."leads" cross join "lc"."core"."codes"',
    "seen": 'select * from "lc"."core"."leads_of"',
    "reader": 'select * from "lc"."core"."seen"',
    "of_orders": 'select order_id from "lc"."canonical"."orders"',
    "by_day": 'select day from "lc"."canonical"."orders" where day = cast(\'2026-03-01\' as date)',
    "of_itself": 'select * from "lc"."core"."of_itself"',
    "of_marts": 'select * from "lc"."marts"."fct_lead"',
    "of_builds": 'select * from "lc"."meta"."build"',
    # Takes what is published and adds what has changed: what comes of it leads_of decides.
    "upon": 'select * from "lc"."marts"."upon" cross join "lc"."core"."leads_of"',
    "of_nobody": 'select * from "lc"."core"."never_sent"',
}
READS = {"reader": {"seen"}, "seen": {"leads_of"}, "upon": {"leads_of"}}
ALWAYS = {"of_itself", "of_marts", "of_builds", "of_nobody"}
LOADS = {"leads": "[1]", "orders": "[2]"}


@pytest.fixture
def built(warehouse: Warehouse) -> Warehouse:
    with warehouse.connect(Role.TRANSFORMER, autocommit=True) as connection:
        for name in TEXTS.keys() - {"seen"}:
            connection.execute(f"create table core.{name} (n integer)".encode())
        connection.execute("create view core.seen as select * from core.leads_of")
    return warehouse


def night(
    warehouse: Warehouse,
    build_id: str,
    loads: Mapping[str, str] = LOADS,
    texts: Mapping[str, str] = TEXTS,
    statements: Mapping[str, str] | None = None,
) -> dict[str, Ending]:
    """The endings of a night in which every model puts one row into its table, or does as told, by model."""
    memory = Memory(
        build_id,
        "core",
        "canonical",
        texts,
        frozenset({"seen"}),
        frozenset({"codes"}),
        {"upon": ("leads_of",)},
    )
    with warehouse.connect(Role.TRANSFORMER, autocommit=True) as connection:
        memory.read(connection)
    memory.loads = loads
    usual = {name: f"truncate core.{name}; insert into core.{name} select 1" for name in texts}
    usual["seen"] = "create or replace view core.seen as select * from core.leads_of"
    told = {**usual, **(statements or {})}
    steps = [Step(name, name, told[name], frozenset(READS.get(name, ())), name == "seen") for name in texts]
    endings = nights.run(
        steps, lambda: warehouse.connect(Role.TRANSFORMER, autocommit=True), 2, lambda _: None, memory
    )
    return {each.unique_id: each for each in endings}


def sent(endings: Mapping[str, Ending]) -> set[str]:
    assert {each.status for each in endings.values()} == {"success"}
    return {name for name, each in endings.items() if each.message != UNCHANGED} - {"seen"}


def test_what_is_read_is_found_in_compiled_sql() -> None:
    text = 'select a."core"."b" from "lc"."core"."first" as a join "lc_x"."canonical"."leads" on "a" = "b"'
    assert references(text) == {("core", "first"), ("canonical", "leads")}


def test_a_night_after_which_nothing_changed_sends_only_what_cannot_be_known(built: Warehouse) -> None:
    assert sent(night(built, "one")) == TEXTS.keys() - {"seen"}
    assert sent(night(built, "two")) == ALWAYS


def test_a_load_reaches_those_who_read_it_through_tables_and_views(built: Warehouse) -> None:
    night(built, "one")
    assert sent(night(built, "two", {**LOADS, "leads": "[3]"})) == {"leads_of", "reader", "upon"} | ALWAYS
    assert sent(night(built, "three", {**LOADS, "leads": "[3]"})) == ALWAYS
    # A canonical table of which no load is known.
    assert sent(night(built, "four", {"leads": "[3]"})) == {"of_orders", "by_day"} | ALWAYS


def test_what_reads_a_model_that_wrote_nothing_is_not_sent(built: Warehouse) -> None:
    night(built, "one")
    nothing = {
        "leads_of": "delete from core.leads_of where false; insert into core.leads_of select 1 where false"
    }
    assert sent(night(built, "two", {**LOADS, "leads": "[3]"}, statements=nothing)) == {"leads_of"} | ALWAYS
    with built.connect(Role.TRANSFORMER) as connection:
        lines = dict(connection.execute("select model, changed_by_build from meta.model_state").fetchall())
    assert (lines["leads_of"], lines["reader"], lines["of_marts"]) == ("one", "one", "two")


def test_another_day_is_another_text(built: Warehouse) -> None:
    night(built, "one")
    later = {**TEXTS, "by_day": TEXTS["by_day"].replace("2026-03-01", "2026-03-02")}
    assert sent(night(built, "two", texts=later)) == {"by_day"} | ALWAYS


def test_what_failed_is_sent_again(built: Warehouse) -> None:
    night(built, "one")
    broken = {"leads_of": "truncate core.leads_of; select cast('Li Na' as integer)"}
    endings = night(built, "two", {**LOADS, "leads": "[3]"}, statements=broken)
    assert (endings["leads_of"].status, endings["reader"].status) == ("error", "skipped")
    assert sent(night(built, "three", {**LOADS, "leads": "[3]"})) == {"leads_of", "reader", "upon"} | ALWAYS


def test_a_model_computed_in_another_way_is_forgotten_with_all_that_read_it(built: Warehouse) -> None:
    night(built, "one")
    with built.connect(Role.TRANSFORMER, autocommit=True) as connection:
        Memory("two", "core", "canonical", {}, frozenset(), frozenset()).forget(connection, ["leads_of"])
    assert sent(night(built, "two")) == {"leads_of", "reader", "upon"} | ALWAYS


def test_a_build_that_is_taken_up_again_with_other_loads_computes_what_they_reach(built: Warehouse) -> None:
    night(built, "one")
    # The first attempt gets as far as the reader.
    broken = {"of_orders": "select cast('Li Na' as integer)"}
    night(built, "two", {"leads": "[3]", "orders": "[3]"}, statements=broken)
    assert sent(night(built, "two", {"leads": "[4]", "orders": "[3]"})) >= {"leads_of", "reader", "upon"}
