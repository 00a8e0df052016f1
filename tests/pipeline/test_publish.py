"""What publishing and rolling back leave in marts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import psycopg
import pytest

from lifecourse.warehouse import publish as publishing
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.publish import PublicTable, PublishError, differences, publish, rollback
from tests.pipeline.publishing import (
    CAMPUS,
    CUSTOMER,
    LEAD,
    SPAN,
    TABLES,
    audited,
    contents,
    make_core,
    rows,
    run,
)

CHANGES = (
    # C1 changes, C2 goes (merged into C1 with his lead), C201 comes, a lead without customer changes.
    "update core.dim_customer set balance_amount = 7 where customer_id = 'C1'",
    "delete from core.dim_customer where customer_id = 'C2'",
    "delete from core.fct_lifecycle_span where customer_id = 'C2'",
    "delete from core.mart_customer_value where customer_id = 'C2'",
    "update core.fct_lead set customer_id = 'C1' where lead_id = 'L2'",
    "insert into core.dim_customer values ('C201', 'K0', 1, '{}')",
    "insert into core.fct_lifecycle_span values ('C201', 'K0', 1, 'N', 'N', '2026-03-01', null)",
    "update core.fct_lifecycle_span set valid_to = '2026-03-01' where customer_id = 'C1'",
    "insert into core.fct_lifecycle_span values ('C1', 'K1', 2, 'A', 'A', '2026-03-01', null)",
    "update core.fct_lead set step = 'called' where lead_id = 'L4'",
    "delete from core.fct_lead where lead_id = 'L8'",
    # A rank moves for somebody whom nothing touched.
    "update core.mart_customer_value set score = 1000 where customer_id = 'C100'",
    "update core.dim_campus set name = 'Moved' where campus_id = 'K1'",
)
CHANGED = ("C1", "C2", "C201")


@pytest.fixture
def published(warehouse: Warehouse) -> Warehouse:
    """A first full build, as readers see it."""
    make_core(warehouse)
    publish(warehouse, audited(warehouse, "b1", "full"), TABLES)
    return warehouse


@pytest.mark.other_postgres
def test_full_build_arrives_with_keys_indexes_comments_and_rights(published: Warehouse) -> None:
    assert contents(published) == contents(published, "core")
    assert differences(published, TABLES) == {}
    keys = rows(
        published,
        "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint"
        " where connamespace = 'marts'::regnamespace and contype = 'p' order by 1",
    )
    assert ("marts.fct_lifecycle_span", "PRIMARY KEY (customer_id, span_no)") in keys
    indexes = [d for (d,) in rows(published, "select indexdef from pg_indexes where tablename = 'fct_lead'")]
    assert sum("marts.fct_lead" in d and "(lead_on, campus_id)" in d for d in indexes) == 1
    assert sum("marts.fct_lead" in d and "(customer_id)" in d for d in indexes) == 1
    with published.connect(Role.BI_READER) as reader:
        described = reader.execute(
            "select obj_description('marts.dim_customer'::regclass), col_description('marts.dim_customer'::regclass, 1)"
        ).fetchone()
        assert described == ("One row per customer.", "The customer's number.")
        assert reader.execute("select count(*) from marts.dim_customer").fetchone() == (200,)
        told = reader.execute(
            "select build_id, as_of, kind, rows, batches, last_load_id, is_current, rolled_back_at from marts.publication"
        ).fetchall()
    assert told == [("b1", date(2026, 3, 1), "full", 803, 0, 10, True, None)]
    assert rows(published, "select status from meta.build") == [("published",)]
    nullable = rows(
        published,
        "select attnotnull from pg_attribute where attrelid = 'marts.fct_lead'::regclass"
        " and attname in ('lead_id', 'customer_id') order by attname",
    )
    assert nullable == [(False,), (True,)]


@pytest.mark.other_postgres
def test_incremental_build_writes_the_rows_that_differ_and_no_other(published: Warehouse) -> None:
    untouched = "select customer_id, xmin::text, ctid::text from marts.dim_customer where customer_id not in ('C1', 'C2')"
    before = rows(published, untouched + " order by 1")
    run(published, Role.TRANSFORMER, *CHANGES)
    publication = publish(published, audited(published, "b2", changed=(*CHANGED, "C3", "C5")), TABLES)
    assert contents(published) == contents(published, "core")
    assert publication.kind == "incremental"
    assert set(publication.actions.values()) == {"rows"}
    assert publication.rows_written == {
        "dim_customer": 4,
        "fct_lead": 5,
        "fct_lifecycle_span": 5,
        "dim_campus": 2,
        "mart_customer_value": 3,
    }
    assert publication.rows == {name: len(found) for name, found in contents(published).items()}
    after = [row for row in rows(published, untouched + " order by 1") if row[0] != "C201"]
    assert after == before
    shown = rows(published, "select build_id, is_current from marts.publication order by publication_id")
    assert shown == [("b1", False), ("b2", True)]


def test_a_customer_who_is_not_changed_is_not_looked_at(published: Warehouse) -> None:
    run(
        published,
        Role.TRANSFORMER,
        "update core.dim_customer set balance_amount = 0 where customer_id = 'C9'",
    )
    publish(published, audited(published, "b2", changed=["C1"]), TABLES)
    assert differences(published, TABLES) == {"dim_customer": 1}


def test_a_row_that_moves_from_a_customer_nobody_named_is_not_there_twice(published: Warehouse) -> None:
    run(published, Role.TRANSFORMER, "update core.fct_lead set customer_id = 'C1' where lead_id = 'L3'")
    publish(published, audited(published, "b2", changed=["C1"]), TABLES)
    assert differences(published, TABLES) == {}


def test_publishing_again_changes_nothing(published: Warehouse) -> None:
    again = publish(published, "b1", TABLES)
    assert not again.is_new
    assert again.rows["dim_customer"] == 200
    assert rows(published, "select count(*) from meta.publication") == [(1,)]


def test_nothing_changed_writes_nothing(published: Warehouse) -> None:
    publication = publish(published, audited(published, "b2", changed=["C1", "C2"]), TABLES)
    assert set(publication.rows_written.values()) == {0}
    rollback(published)
    assert contents(published) == contents(published, "core")


@pytest.mark.other_postgres
@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_rollback_puts_back_what_was(published: Warehouse, kind: str) -> None:
    before = contents(published)
    run(published, Role.TRANSFORMER, *CHANGES)
    publish(published, audited(published, "b2", kind, changed=CHANGED, as_of=date(2026, 3, 2)), TABLES)
    assert contents(published) != before
    back = rollback(published)
    assert back.build_id == "b1"
    assert contents(published) == before
    assert rows(
        published,
        "select build_id, is_current, rolled_back_at is null from marts.publication order by publication_id",
    ) == [("b1", True, True), ("b2", False, False)]
    assert rows(published, "select status from meta.build where build_id = 'b2'") == [("rolled_back",)]
    with pytest.raises(PublishError, match="rolled back already|first publication"):
        rollback(published)
    with pytest.raises(PublishError, match="status is rolled_back"):
        publish(published, "b2", TABLES)


def test_the_build_after_a_rollback_is_published_whole(published: Warehouse) -> None:
    run(published, Role.TRANSFORMER, *CHANGES)
    publish(published, audited(published, "b2", changed=CHANGED, last_load_id=20), TABLES)
    rollback(published)
    # Of the changes before, this build knows nothing: they were made by the one rolled back.
    publication = publish(published, audited(published, "b3", changed=["C3"], since_load_id=10), TABLES)
    assert publication.kind == "full"
    assert contents(published) == contents(published, "core")
    rollback(published)
    assert rows(published, "select build_id from marts.publication where is_current") == [("b1",)]


def test_rollback_brings_back_removed_tables_and_takes_added_ones(published: Warehouse) -> None:
    before = contents(published)
    run(
        published,
        Role.TRANSFORMER,
        "create table core.dim_term (term_id text)",
        "insert into core.dim_term values ('T')",
    )
    term = PublicTable("dim_term", ["term_id"])
    publication = publish(
        published, audited(published, "b2", changed=["C1"]), [CUSTOMER, LEAD, SPAN, CAMPUS, term]
    )
    assert publication.actions["dim_term"] == "added"
    assert publication.actions["mart_customer_value"] == "removed"
    assert rows(published, "select to_regclass('marts.mart_customer_value')") == [(None,)]
    assert rows(published, "select count(*) from marts.dim_term", Role.ANALYST) == [(1,)]
    rollback(published)
    assert contents(published) == before
    assert rows(published, "select to_regclass('marts.dim_term')") == [(None,)]


def test_a_table_with_another_column_is_swapped_and_the_rest_is_not(published: Warehouse) -> None:
    run(
        published,
        Role.TRANSFORMER,
        "alter table core.dim_campus add column city text",
        "comment on column core.dim_campus.city is 'Where it is.'",
        *CHANGES,
    )
    publication = publish(published, audited(published, "b2", changed=CHANGED), TABLES)
    assert publication.actions == {
        "dim_customer": "rows",
        "fct_lead": "rows",
        "fct_lifecycle_span": "rows",
        "dim_campus": "swapped",
        "mart_customer_value": "rows",
    }
    assert contents(published) == contents(published, "core")
    rollback(published)
    with published.connect(Role.ANALYST) as reader, pytest.raises(psycopg.errors.UndefinedColumn):
        reader.execute("select city from marts.dim_campus")


def test_an_incremental_build_on_another_footing_is_published_whole(published: Warehouse) -> None:
    publication = publish(published, audited(published, "b2", since_load_id=11, last_load_id=20), TABLES)
    assert set(publication.actions.values()) == {"swapped"}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ({"status": "built"}, "status is built"),
        ({"schema_name": "asof_2026_02_01"}, "never published"),
        ({"as_of": date(2026, 2, 28)}, "2026-03-01 is published"),
    ],
)
def test_only_an_audited_build_of_the_newest_day(
    published: Warehouse, build: dict[str, object], message: str
) -> None:
    audited(published, "b2", **build)  # type: ignore[arg-type]
    with pytest.raises(PublishError, match=message):
        publish(published, "b2", TABLES)
    with pytest.raises(PublishError, match="no such build"):
        publish(published, "b0", TABLES)


@pytest.mark.parametrize("kind", ["full", "incremental"])
def test_a_broken_key_publishes_nothing_and_names_no_value(published: Warehouse, kind: str) -> None:
    before = contents(published)
    run(
        published,
        Role.TRANSFORMER,
        "update core.dim_campus set name = 'New'",
        "insert into core.dim_customer values ('C1', 'SECRET', 0, null)",
    )
    with pytest.raises(PublishError) as raised:
        publish(published, audited(published, "b2", kind, changed=["C1"]), TABLES)
    assert "core.dim_customer" in str(raised.value)
    assert "not unique" in str(raised.value)
    assert "SECRET" not in str(raised.value)
    assert contents(published) == before
    assert rows(published, "select status from meta.build where build_id = 'b2'") == [("audited",)]


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        *(
            (kind, step)
            for kind in ("full", "incremental")
            for step in ("fill", "swap", "_keep_stage_on", "_record")
        ),
        ("incremental", "publish_rows"),
    ],
)
def test_interrupted_anywhere_nothing_has_happened_and_it_can_be_run_again(
    published: Warehouse, monkeypatch: pytest.MonkeyPatch, kind: str, step: str
) -> None:
    before = contents(published)
    run(published, Role.TRANSFORMER, *CHANGES, "alter table core.dim_campus add column city text")
    audited(published, "b2", kind, changed=CHANGED)
    whole = getattr(publishing, step)

    def lost(*arguments: Any, **named: Any) -> None:
        whole(*arguments, **named)
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr(publishing, step, lost)
        with pytest.raises(PublishError, match="connection is lost"):
            publish(published, "b2", TABLES)
    assert contents(published) == before
    assert rows(published, "select build_id from marts.publication where is_current") == [("b1",)]
    publish(published, "b2", TABLES)
    assert contents(published) == contents(published, "core")
    rollback(published)
    assert contents(published) == before


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (PublicTable("dim_nothing", ["id"]), "no such table"),
        (replace(CAMPUS, primary_key=[]), "no primary key"),
        (replace(CAMPUS, indexes=[["colour"]]), "no column colour"),
        (PublicTable("publication", ["id"]), "taken"),
    ],
)
def test_a_list_that_does_not_fit_the_build(published: Warehouse, table: PublicTable, message: str) -> None:
    with pytest.raises(PublishError, match=message):
        publish(published, audited(published, "b2", "full"), [*TABLES, table])


def test_nothing_to_roll_back(warehouse: Warehouse) -> None:
    with pytest.raises(PublishError, match="nothing is published"):
        rollback(warehouse)
    make_core(warehouse)
    publish(warehouse, audited(warehouse, "b1", "full"), TABLES)
    with pytest.raises(PublishError, match="first publication"):
        rollback(warehouse)


@pytest.mark.other_postgres
def test_stage_on_tells_the_stage_of_a_day(published: Warehouse) -> None:
    run(published, Role.TRANSFORMER, *CHANGES)
    publish(published, audited(published, "b2", changed=CHANGED), TABLES)
    on = "select stage_code from marts.stage_on(date '{}') where customer_id = 'C1'"
    assert rows(published, on.format("2025-12-31"), Role.BI_READER) == []
    assert rows(published, on.format("2026-02-28"), Role.BI_READER) == [("P",)]
    assert rows(published, on.format("2026-03-01"), Role.BI_READER) == [("A",)]
    plan = " ".join(
        line for (line,) in rows(published, "explain select * from marts.stage_on(date '2026-03-01')")
    )
    assert "Function Scan" not in plan, "it must be inlined, so that it reads on the query's own snapshot"
    # A new column of the table is a new column of the function.
    run(published, Role.TRANSFORMER, "alter table core.fct_lifecycle_span add column phase_code text")
    publish(published, audited(published, "b3", changed=["C1"]), TABLES)
    assert rows(
        published, "select count(phase_code) from marts.stage_on(date '2026-03-01')", Role.ANALYST
    ) == [(0,)]


def test_an_analysts_view_follows_the_table(published: Warehouse) -> None:
    run(
        published,
        Role.ANALYST,
        "create view scratch_analyst.rich as select customer_id from marts.dim_customer"
        " where balance_amount > 100",
        "create view scratch_analyst.richer as select * from scratch_analyst.rich",
    )
    run(published, Role.TRANSFORMER, "update core.dim_customer set balance_amount = 0")
    for build_id in ("b2", "b3", "b4"):
        publication = publish(published, audited(published, build_id, "full"), TABLES)
        assert publication.views_left_behind == []
        assert rows(published, "select count(*) from scratch_analyst.richer", Role.ANALYST) == [(0,)]


def test_a_view_that_no_longer_fits_is_named(published: Warehouse) -> None:
    run(published, Role.ANALYST, "create view scratch_analyst.names as select name from marts.dim_campus")
    run(published, Role.TRANSFORMER, "alter table core.dim_campus rename column name to title")
    publication = publish(published, audited(published, "b2", "full"), TABLES)
    assert publication.views_left_behind == ["scratch_analyst.names"]
    assert publish(published, audited(published, "b3", "full"), TABLES).is_new
