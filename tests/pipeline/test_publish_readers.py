"""What readers see while builds are published over their heads: always one whole build, and no error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.publish import PublicTable, PublishError, publish, rollback
from tests.pipeline.publishing import BY_CUSTOMER, audited, rows, run

Connection = psycopg.Connection[tuple[Any, ...]]

CUSTOMERS = 300
TABLES = (
    PublicTable("dim_customer", ["customer_id"], "customer_id", changed_by=BY_CUSTOMER),
    PublicTable("fct_lifecycle_span", ["customer_id"], "customer_id", changed_by=BY_CUSTOMER),
    PublicTable("mart_value", ["customer_id"], "customer_id"),
    PublicTable("publication_of_rows", ["build_id"]),
)
ROLLBACKS = (4, 9)
PUBLICATIONS = 12


def stamp(warehouse: Warehouse, build_id: str, kind: str) -> str:
    """A build whose every row says which build it is of."""
    everybody = (
        f"select 'C' || n as customer_id, '{build_id}'::text as build_id, date '2026-01-01' as valid_from,"
        f" null::date as valid_to from generate_series(1, {CUSTOMERS}) as n"
    )
    statements = []
    for table in ("dim_customer", "fct_lifecycle_span", "mart_value"):
        if kind == "full":
            statements += [f"drop table if exists core.{table}", f"create table core.{table} as {everybody}"]
        else:
            statements.append(f"update core.{table} set build_id = '{build_id}'")
    statements += [
        "drop table if exists core.publication_of_rows",
        f"create table core.publication_of_rows as select '{build_id}'::text as build_id",
        "create table if not exists core.changed_customer (customer_id text)",
    ]
    run(warehouse, Role.TRANSFORMER, *statements)
    return audited(warehouse, build_id, kind, changed=[f"C{n}" for n in range(1, CUSTOMERS + 1)])


class Reader(threading.Thread):
    """Runs `look` again and again in a session of its own; what it saw wrong stands in `wrong`."""

    def __init__(
        self, warehouse: Warehouse, look: Callable[[Connection], str | None], stop: threading.Event
    ) -> None:
        super().__init__(name=look.__name__)
        self.warehouse, self.look, self.stop = warehouse, look, stop
        self.seen = 0
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            with self.warehouse.connect(Role.BI_READER, autocommit=True) as connection:
                while not self.stop.is_set():
                    problem = self.look(connection)
                    if problem:
                        self.wrong.append(problem)
                    self.seen += 1
                    time.sleep(0.01)  # the readers must not take the whole machine
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")


def all_tables_at_once(connection: Connection) -> str | None:
    found = connection.execute(
        "select count(*), count(distinct build_id) from ("
        " select build_id from marts.mart_value union all select build_id from marts.dim_customer"
        " union all select build_id from marts.fct_lifecycle_span union all select build_id from marts.publication_of_rows"
        " union all select build_id from marts.publication where is_current) as x"
    ).fetchone()
    return None if found == (3 * CUSTOMERS + 2, 1) else f"rows and builds at once: {found}"


def join(connection: Connection) -> str | None:
    found = connection.execute(
        "select count(*) from marts.fct_lifecycle_span as s join marts.dim_customer as c using (customer_id, build_id)"
        " where s.valid_from > %s",
        ("2025-01-01",),
    ).fetchone()
    return None if found == (CUSTOMERS,) else f"joined rows: {found}"


def one_snapshot_for_several_questions(connection: Connection) -> str | None:
    """In an order against that of the names, with time between: the hardest case for a swap."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select 1 from pg_class limit 1")
        time.sleep(0.02)
        seen = []
        for table in ("publication_of_rows", "mart_value", "fct_lifecycle_span", "dim_customer"):
            seen += connection.execute(f"select distinct build_id from marts.{table}").fetchall()
            time.sleep(0.01)
    return None if len(seen) == 4 and len(set(seen)) == 1 else f"builds in one snapshot: {seen}"


def stage_on(connection: Connection) -> str | None:
    found = connection.execute("select count(*) from marts.stage_on(date '2026-02-01')").fetchone()
    return None if found == (CUSTOMERS,) else f"customers with a stage: {found}"


def test_readers_see_one_whole_build_and_never_an_error(warehouse: Warehouse) -> None:
    publish(warehouse, stamp(warehouse, "b0", "full"), TABLES)
    stop = threading.Event()
    readers = [
        Reader(warehouse, look, stop)
        for look in (all_tables_at_once, join, one_snapshot_for_several_questions, stage_on)
    ]
    for reader in readers:
        reader.start()
    try:
        for number in range(1, PUBLICATIONS):
            kind = "full" if number % 3 == 1 else "incremental"
            publish(warehouse, stamp(warehouse, f"b{number}", kind), TABLES)
            if number in ROLLBACKS:
                rollback(warehouse)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert {reader.name: reader.wrong for reader in readers if reader.wrong} == {}
    assert all(reader.seen for reader in readers)


def test_a_long_reader_makes_the_publication_wait_and_nobody_else(warehouse: Warehouse) -> None:
    publish(warehouse, stamp(warehouse, "b1", "full"), TABLES)
    stamp(warehouse, "b2", "full")
    stop = threading.Event()
    other = Reader(warehouse, all_tables_at_once, stop)
    with warehouse.connect(Role.ANALYST) as reader:
        reader.execute("select from marts.mart_value")
        other.start()
        with pytest.raises(PublishError, match=f"session {reader.info.backend_pid} of analyst"):
            publish(warehouse, "b2", TABLES, patience_seconds=2)
        stop.set()
        other.join()
    assert other.wrong == []
    assert rows(warehouse, "select build_id from marts.publication_of_rows") == [("b1",)]
    assert publish(warehouse, "b2", TABLES).is_new
    assert rows(warehouse, "select build_id from marts.publication_of_rows") == [("b2",)]


def test_rows_are_published_without_waiting_for_readers(warehouse: Warehouse) -> None:
    publish(warehouse, stamp(warehouse, "b1", "full"), TABLES)
    stamp(warehouse, "b2", "incremental")
    with warehouse.connect(Role.ANALYST) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select from marts.mart_value")
        publish(warehouse, "b2", TABLES, patience_seconds=0)
        assert all_tables_at_once(reader) is None
        assert reader.execute("select build_id from marts.publication_of_rows").fetchone() == ("b1",)


def test_a_snapshot_from_before_is_waited_for(warehouse: Warehouse) -> None:
    publish(warehouse, stamp(warehouse, "b1", "full"), TABLES)
    stamp(warehouse, "b2", "full")
    with warehouse.connect(Role.BI_READER) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select 1 from pg_class limit 1")
        with pytest.raises(PublishError, match="snapshot from before.*of bi_reader"):
            publish(warehouse, "b2", TABLES, patience_seconds=0.3)
        assert reader.execute("select count(*) from marts.mart_value").fetchone() == (CUSTOMERS,)


def test_two_that_publish_the_same_build_end_as_one(warehouse: Warehouse) -> None:
    stamp(warehouse, "b1", "full")
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(publish(warehouse, "b1", TABLES).is_new))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, True]
    assert rows(warehouse, "select count(*) from meta.publication") == [(1,)]
