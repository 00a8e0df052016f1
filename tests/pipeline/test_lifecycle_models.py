"""The lifecycle models in the database: their unit tests, facts that come late or in any order, and time travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from lifecourse import feeding, histories
from lifecourse.histories import SCHEMA, Models
from lifecourse.warehouse.connection import Role, Warehouse
from tests.reference.goals import write_goals
from tests.reference.histories import bulk, bulk_institution, write

Connection = psycopg.Connection[tuple[object, ...]]

FACTS = (
    "fct_lifecycle_span",
    "fct_lifecycle_transition",
    "fct_risk_signal",
    "fct_stage_day",
    "fct_customer_month",
    "lifecycle_due",
)
#: The days on which a fact comes into being, and those on which it changes.
BORN = {
    "contacts": "day",
    "lines": "granted_on",
    "outcomes": "lesson_at",
    "study": "day",
    "complaints": "opened_on",
    "nps": "responded_at",
    "refund_requests": "requested_on",
    "pauses": "from_on",
    "goals": "set_on",
}
CHANGED = (
    ("lines", "cut_on"),
    ("homework", "due_on"),
    ("homework", "submitted_on"),
    ("complaints", "closed_on"),
    ("refund_requests", "resolved_on"),
    ("goals", "measured_on"),
)
#: Cleared along with the day of a change that had not happened yet.
WITH = {"cut_on": ", cut_by = null", "measured_on": ", actual_score = null"}
#: A full build and three incremental ones: the next night, after a month, and after a summer.
NIGHTS = (date(2025, 6, 1), date(2025, 6, 2), date(2025, 7, 1), date(2025, 10, 5))


@dataclass
class Institution:
    """Histories in a scratch database whose facts arrive night by night, as they would from a source."""

    connection: Connection
    models: Models

    def day(self, column: str) -> str:
        zone = self.models.variables(NIGHTS[0])["institution_timezone"]
        return f"cast({column} at time zone '{zone}' as date)" if column.endswith("_at") else column

    def keep_facts_for_later(self) -> None:
        for name in (*BORN, "homework"):
            self.connection.execute(f"alter table {SCHEMA}.{name} set schema later")
            self.connection.execute(f"create table {SCHEMA}.{name} (like later.{name})")
        # The views of the models read the tables that are filled night by night, of changed customers only.
        for name in histories.VIEWS:
            self.connection.execute(f"drop view core.{name}")
        self.connection.execute("drop view core.int_lifecycle_contact")
        self.connection.execute(f"set search_path to {SCHEMA}")
        histories._make_views(self.connection)
        self.connection.execute("drop view core.changed_customer")
        self.connection.execute(
            f"create table core.changed_customer as select customer_id from {SCHEMA}.customers"
        )
        for name in (*histories.VIEWS, "int_lifecycle_contact"):
            if name in ("changed_customer", "int_lifecycle_closed_day"):
                continue
            definition = self.connection.execute(
                "select definition from pg_views where schemaname = 'core' and viewname = %s", (name,)
            ).fetchone()
            assert definition is not None
            query = str(definition[0]).rstrip(";")
            self.connection.execute(
                f"create or replace view core.{name} as select facts.* from ({query}) as facts "
                "join core.changed_customer using (customer_id)"
            )

    def deliver(self, night: date) -> None:
        """What had happened by the end of that day, and nothing that came after."""
        for name in (*BORN, "homework"):
            self.connection.execute(f"truncate {SCHEMA}.{name}")
            born = BORN.get(name)
            where = f"where {self.day(born)} <= '{night}'" if born else ""
            self.connection.execute(f"insert into {SCHEMA}.{name} select * from later.{name} {where}")
        for name, column in CHANGED:
            cleared = f"{column} = null" + WITH.get(column, "")
            if column != "due_on":
                self.connection.execute(f"update {SCHEMA}.{name} set {cleared} where {column} > '{night}'")
        self.connection.execute(
            f"delete from {SCHEMA}.homework where coalesce(due_on, submitted_on) > '{night}' and submitted_on is null"
        )

    def change(self, since: date, night: date) -> None:
        """Those with a fact of these days, and those for whom time alone brings a change."""
        touched = " union ".join(
            f"select customer_id from later.{name} where {self.day(column)} > '{since}' "
            f"and {self.day(column)} <= '{night}'"
            for name, column in (*BORN.items(), *CHANGED)
        )
        due = f"select customer_id from core.lifecycle_due where due_on <= '{night}'"
        self.connection.execute("truncate core.changed_customer")
        self.connection.execute(f"insert into core.changed_customer {touched} union {due}")

    def everybody_changes(self) -> None:
        self.connection.execute("truncate core.changed_customer")
        self.connection.execute(
            f"insert into core.changed_customer select customer_id from {SCHEMA}.customers"
        )

    def build(self, night: date, kind: str) -> None:
        self.models.run(night, ["path:models/lifecycle"], kind)

    def told(self) -> dict[str, list[str]]:
        """Every row of every fact, as text."""
        return {
            fact: sorted(
                str(row) for (row,) in self.connection.execute(f"select f::text from core.{fact} as f")
            )
            for fact in FACTS
        }

    def spans(self, clipped_at: date | None = None) -> list[tuple[object, ...]]:
        """Spans; clipped: what of them was to be seen on that day."""
        rows = self.connection.execute(
            """
            select
                customer_id, span_no, stage_code, base_stage, phase_code, customer_kind, run_no, valid_from,
                case when valid_to <= %(day)s then valid_to end,
                case when became_returning_on <= %(day)s then became_returning_on end
            from core.fct_lifecycle_span
            where valid_from <= %(day)s
            order by customer_id, span_no
            """,
            {"day": clipped_at or date.max},
        )
        return list(rows)

    def signals(self, clipped_at: date | None = None) -> list[tuple[object, ...]]:
        rows = self.connection.execute(
            """
            select risk_signal_id, run_no, evidence::text, case when closed_on <= %(day)s then closed_on end
            from core.fct_risk_signal
            where opened_on <= %(day)s
            order by risk_signal_id
            """,
            {"day": clipped_at or date.max},
        )
        return list(rows)

    def transitions(self, clipped_at: date | None = None) -> list[tuple[object, ...]]:
        # A reason may be told later; the files of histories hold none.
        rows = self.connection.execute(
            """
            select customer_id, layer, transition_on, from_code, to_code, reason_code, cause_table, cause_id
            from core.fct_lifecycle_transition
            where transition_on <= %(day)s
            order by customer_id, layer, transition_on
            """,
            {"day": clipped_at or date.max},
        )
        return list(rows)


@pytest.fixture(scope="module")
def institution(
    module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Institution]:
    folder: Path = tmp_path_factory.mktemp("histories") / "events"
    write(folder, bulk(31, 400), bulk_institution(31))
    write_goals(folder, bulk(31, 400), 31)
    with (
        feeding.scratch(module_warehouse) as target,
        target.connect(Role.ADMIN, autocommit=True) as connection,
    ):
        histories.load(connection, folder)
        models = Models(target)
        models.seed(NIGHTS[0])
        histories.override_rules(connection, folder)
        connection.execute("create schema later")
        institution = Institution(connection, models)
        institution.keep_facts_for_later()
        yield institution


def test_night_by_night_tells_the_same_as_all_at_once(institution: Institution) -> None:
    """Incremental equals full, whoever was due by time alone included, and time travel holds."""
    institution.deliver(NIGHTS[0])
    institution.build(NIGHTS[0], "full")
    first_night = institution.spans(), institution.signals(), institution.transitions()
    for since, night in pairwise(NIGHTS):
        institution.deliver(night)
        institution.change(since, night)
        institution.build(night, "incremental")
    night_by_night = institution.told()

    institution.deliver(date.max)
    institution.everybody_changes()
    institution.build(NIGHTS[-1], "full")
    assert institution.told() == night_by_night
    assert all(night_by_night.values())

    clipped = [tell(NIGHTS[0]) for tell in (institution.spans, institution.signals, institution.transitions)]
    for told, seen in zip(clipped, first_night, strict=True):
        assert sorted(set(told) ^ set(seen), key=str) == []


def test_the_tests_of_the_models_pass(institution: Institution) -> None:
    """dbt's unit tests, and its data tests on what the histories became."""
    institution.deliver(date.max)
    institution.everybody_changes()
    institution.build(NIGHTS[-1], "full")
    selected = ["path:models/lifecycle", "path:tests/lifecycle", "path:seeds/lifecycle"]
    # Models that come after the lifecycle refer to it in their tests, but are not built here.
    selected += ["--exclude", "path:models/care", "path:tests/actions"]
    outcomes = institution.models.dbt.run("test", selected, institution.models.variables(NIGHTS[-1]))
    assert [(each.name, each.message) for each in outcomes if not each.is_good] == []
    kinds = [each.kind for each in outcomes]
    assert kinds.count("unit_test") > 35
    assert kinds.count("test") > 40
