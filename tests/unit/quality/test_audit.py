"""The audit of a candidate on a real Postgres, and the Data Docs that show it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.quality import docs, rows
from lifecourse.quality.audit import AuditFailed, AuditResult, audit_candidate
from lifecourse.quality.facts import Fact
from lifecourse.sources.spec import SystemSpec
from lifecourse.warehouse.connection import Role, Warehouse

SATURDAY, SUNDAY = date(2026, 2, 28), date(2026, 3, 1)
CANONICAL = "canonical_of_test"
SCHOOL = SystemSpec.model_validate(
    {
        "system": "school",
        "serves": "teaching",
        "kind": "sql",
        "url": "postgresql://nobody@127.0.0.1/none",
        "tables": [{"name": "lessons", "maps_to": "lessons"}, {"name": "learners", "maps_to": "learners"}],
    }
)


@dataclass
class Candidate:
    """A warehouse with a candidate made by hand: two customers, a lesson each, an order, leads."""

    target: Warehouse
    transformer: psycopg.Connection[Any]
    loader: psycopg.Connection[Any]
    publisher: psycopg.Connection[Any]

    def run(self, statement: str) -> None:
        self.transformer.execute(statement.encode())

    def build(
        self, build_id: str, as_of: date = SUNDAY, kind: str = "full", schema: str = "core", load: int = 9
    ) -> str:
        self.transformer.execute(
            """
            insert into meta.build (build_id, as_of, kind, schema_name, last_load_id, code_hash, rules_hash)
            values (%s, %s, %s, %s, %s, '', '')
            """,
            (build_id, as_of, kind, schema, load),
        )
        return build_id

    def delivered(self, day: date = SUNDAY, load: int = 9) -> None:
        self.loader.execute(
            """
            insert into meta.delivery (system, business_day, cutoff_at, last_load_id)
            values ('school', %s, now(), %s)
            """,
            (day, load),
        )

    def published(self, **counts: int) -> None:
        self.publisher.execute(
            """
            insert into meta.publication (build_id, as_of, kind, last_load_id, rows, rows_written)
            select build_id, as_of, kind, last_load_id, %s, '{}' from meta.build order by started_at limit 1
            """,
            (Jsonb(counts),),
        )

    def audit(self, build_id: str) -> AuditResult:
        return audit_candidate(build_id, self.target, {"school": SCHOOL}, CANONICAL)

    def failed(self, build_id: str) -> dict[str, str]:
        """Check -> what was observed, for the checks that fail."""
        try:
            result = self.audit(build_id)
        except AuditFailed as error:
            result = error.result
        return {f"{each.suite}.{each.rule}": each.observed for each in result.failed}


CORE = """
create table core.customer_registry as
    select * from (values ('1', 'C1'), ('2', 'C2'), ('9', 'C9')) as registry (learner_id, customer_id);
create table core.changed_customer (customer_id text);
create table core.changed_lead (lead_id text);
create table core.fct_attendance as
    select * from (values ('a1', 'C1', 1.5), ('a2', 'C2', 1.0)) as fact (attendance_id, customer_id, hours);
create table core.fct_payment as
    select * from (values ('p1', 'C1', 100.00)) as fact (payment_id, customer_id, amount);
create table core.fct_homework as
    select * from (values ('h1', 'C1'), ('h2', 'C1')) as fact (homework_id, customer_id);
create table core.fct_learning_day as
    select * from (values ('C1', 2, 7)) as fact (customer_id, session_count, activity_count);
create table core.fct_lead as
    select * from (values ('l1', 'C1'), ('l2', null)) as fact (lead_id, customer_id);
"""
HELD = """
insert into {c}.learners (learner_id) values ('1'), ('2');
insert into {c}.lessons (lesson_id, starts_at, status) values
    ('held', '2026-02-20 18:00+08', 'held'),
    ('cancelled', '2026-02-21 18:00+08', 'cancelled'),
    ('tonight', '2026-03-01 23:30+08', 'held'),
    ('after', '2026-03-02 00:30+08', 'scheduled');
insert into {c}.attendance (attendance_id, learner_id, lesson_id, hours) values
    ('a1', '1', 'held', 1.5), ('a2', '2', 'tonight', 1.0),
    ('a3', '1', 'after', 1), ('a4', '1', 'cancelled', 1),
    ('a5', 'unknown', 'held', 1), ('a6', '9', 'held', 1);
insert into {c}.orders (order_id, learner_id, placed_at) values
    ('o1', '1', '2026-02-01 12:00+08'), ('o2', 'unknown', '2026-02-01 12:00+08');
insert into {c}.payments (payment_id, order_id, amount, paid_at) values
    ('p1', 'o1', 100.00, '2026-02-01 12:00+08'), ('p2', 'o2', 50, '2026-02-01 12:00+08');
insert into {c}.homework (homework_id, learner_id, due_on, submitted_at) values
    ('h1', '1', '2026-02-20', null), ('h2', '1', '2026-03-20', '2026-02-28 12:00+08'),
    ('h3', '1', '2026-03-20', null);
insert into {c}.learning_sessions (session_id, learner_id, started_at, activity_count) values
    ('s1', '1', '2026-02-20 08:00+08', 3), ('s2', '1', '2026-02-20 09:00+08', 4);
insert into {c}.leads (lead_id, learner_id, created_at) values
    ('l1', '1', '2026-02-01 12:00+08'), ('l2', null, '2026-02-01 12:00+08'),
    ('l3', null, '2026-03-02 00:30+08');
"""


@pytest.fixture
def candidate(warehouse: Warehouse) -> Iterator[Candidate]:
    with (
        warehouse.connect(Role.TRANSFORMER, autocommit=True) as transformer,
        warehouse.connect(Role.LOADER, autocommit=True) as loader,
        warehouse.connect(Role.PUBLISHER, autocommit=True) as publisher,
    ):
        transformer.execute(f"create schema {CANONICAL}".encode())
        for table in contract.tables().values():
            columns = ", ".join(f'"{name}" {column.postgres_type}' for name, column in table.columns.items())
            transformer.execute(f"create table {CANONICAL}.{table.name} ({columns})".encode())
        transformer.execute(CORE.encode())
        transformer.execute(HELD.replace("{c}", CANONICAL).encode())
        yield Candidate(warehouse, transformer, loader, publisher)


def test_a_sound_candidate_passes_and_is_recorded_once(candidate: Candidate) -> None:
    candidate.delivered()
    build = candidate.build("b1")
    for _ in range(2):
        result = candidate.audit(build)
    assert not result.failed
    checked = {f"{each.suite}.{each.rule}" for each in result.outcomes}
    facts = ("fct_attendance", "fct_payment", "fct_homework", "fct_learning_day", "fct_lead")
    assert checked == {
        "freshness.delivered_school",
        "counts.batches_add_up",
        *(f"counts.{fact}" for fact in facts),
    }
    recorded = candidate.transformer.execute(
        "select suite || '.' || rule, success from meta.check_result where build_id = 'b1'"
    ).fetchall()
    assert sorted(recorded) == sorted((each, True) for each in checked)


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        ("delete from core.fct_attendance where attendance_id = 'a1'", "counts.fct_attendance"),
        ("insert into core.fct_attendance values ('a1', 'C1', 0)", "counts.fct_attendance"),
        (
            "update core.fct_attendance set hours = hours + 0.01 where customer_id = 'C2'",
            "counts.fct_attendance",
        ),
        ("update core.fct_payment set amount = amount - 0.01", "counts.fct_payment"),
        ("delete from core.fct_homework where homework_id = 'h2'", "counts.fct_homework"),
        ("update core.fct_learning_day set session_count = 1", "counts.fct_learning_day"),
        ("insert into core.fct_homework values ('h9', 'C9')", "counts.fct_homework"),
        ("insert into core.fct_lead values ('l3', null)", "counts.fct_lead"),
        ("insert into core.fct_lead values ('l2', null)", "counts.fct_lead"),
    ],
)
def test_a_row_or_a_cent_too_few_or_too_many_is_found(
    candidate: Candidate, damage: str, failing: str
) -> None:
    candidate.delivered()
    candidate.run(damage)
    assert list(candidate.failed(candidate.build("b1"))) == [failing]


def test_an_incremental_build_answers_for_its_customers_and_sunday_for_all(candidate: Candidate) -> None:
    candidate.delivered(SATURDAY)
    candidate.delivered(SUNDAY)
    candidate.run("update core.fct_attendance set hours = 5; insert into core.changed_customer values ('C2')")
    candidate.run(
        f"update {CANONICAL}.lessons set starts_at = '2026-02-28 23:30+08' where lesson_id = 'tonight'"
    )
    candidate.run("update core.fct_attendance set hours = 1.0 where customer_id = 'C2'")
    assert candidate.failed(candidate.build("sat", SATURDAY, "incremental")) == {}
    assert list(candidate.failed(candidate.build("sun", SUNDAY, "incremental"))) == ["counts.fct_attendance"]
    candidate.run("insert into core.changed_customer values ('C1')")
    assert list(candidate.failed(candidate.build("sat2", SATURDAY, "incremental"))) == [
        "counts.fct_attendance"
    ]


def test_customers_changed_while_the_build_ran_are_compared_another_night(candidate: Candidate) -> None:
    candidate.delivered()
    candidate.run(f"delete from {CANONICAL}.attendance where attendance_id = 'a2'")
    assert list(candidate.failed(candidate.build("b1"))) == ["counts.fct_attendance"]
    candidate.loader.execute(
        "insert into meta.touched values (10, 'lesson', 'nothing'), (10, 'learner', '2')"
    )
    assert candidate.failed(candidate.build("b2")) == {}
    candidate.run("delete from core.fct_payment")
    assert list(candidate.failed(candidate.build("b3"))) == ["counts.fct_payment"]
    candidate.loader.execute("insert into meta.touched values (10, 'order', 'o1')")
    assert candidate.failed(candidate.build("b4")) == {}
    candidate.run("delete from core.fct_lead")
    assert list(candidate.failed(candidate.build("b5"))) == ["counts.fct_lead"]
    candidate.loader.execute("insert into meta.touched values (11, 'all', '*')")
    assert candidate.failed(candidate.build("b6")) == {}


def test_a_system_that_has_not_delivered_is_named(candidate: Candidate) -> None:
    assert candidate.failed(candidate.build("b1")) == {"freshness.delivered_school": "never delivered"}
    candidate.delivered(SATURDAY)
    assert candidate.failed(candidate.build("b2")) == {
        "freshness.delivered_school": "delivered up to 2026-02-28"
    }
    candidate.delivered(SUNDAY, load=10)
    assert candidate.failed(candidate.build("b3", load=9)) == {
        "freshness.delivered_school": "delivered with load 10"
    }
    assert candidate.failed(candidate.build("b4", load=10)) == {}


def test_a_failed_audit_says_what_where_and_what_to_do(candidate: Candidate) -> None:
    candidate.delivered()
    candidate.run("delete from core.fct_payment")
    with pytest.raises(AuditFailed) as raised:
        candidate.audit(candidate.build("b1"))
    said = str(raised.value)
    assert (
        "counts.fct_payment: 0 rows, sum of amount differs where 1 rows, equal sums of amount was expected"
        in said
    )
    assert "build b1" in said
    assert "What to do: Compare core.fct_payment" in said


def test_a_sum_is_never_told(candidate: Candidate) -> None:
    """Of one customer a sum of money would be that person's."""
    candidate.delivered()
    candidate.run("update core.fct_payment set amount = 471147.11")
    with pytest.raises(AuditFailed) as raised:
        candidate.audit(candidate.build("b1"))
    recorded = candidate.transformer.execute(
        "select string_agg(observed, ' ') from meta.check_result"
    ).fetchone()
    pages = "".join(path.read_text() for path in docs.directory().rglob("*.html"))
    for said in (str(raised.value), repr(raised.value.result), str(recorded), pages):
        assert "471147" not in said


def test_a_table_that_shrinks_is_held_back(candidate: Candidate) -> None:
    candidate.delivered(SATURDAY)
    candidate.delivered(SUNDAY)
    build = candidate.build("b1", SATURDAY, "incremental")
    candidate.run("create table core.fct_stage_day as select generate_series(1, 90) as customers")
    candidate.published(fct_stage_day=100, fct_payment=40, gone_table=1000)
    result = candidate.audit(build)
    assert {each.rule for each in result.outcomes if each.suite == "volume"} == {"fct_stage_day"}
    candidate.run("delete from core.fct_stage_day where customers = 1")
    assert candidate.failed(candidate.build("b2", SATURDAY, "incremental")) == {
        "volume.fct_stage_day": "89 rows, 100 published"
    }


def test_an_incremental_build_counts_only_what_may_differ(candidate: Candidate) -> None:
    """110 rows published; of customer C2 there were 30 and are 5: 85 are left."""
    candidate.delivered(SATURDAY)
    candidate.publisher.execute(
        """
        create table marts.fct_survey as
        select 'C1' as customer_id from generate_series(1, 80)
        union all
        select 'C2' from generate_series(1, 30)
        """
    )
    candidate.run("create table core.fct_survey as select 'C2' as customer_id from generate_series(1, 5)")
    candidate.run("insert into core.changed_customer values ('C2')")
    candidate.build("b1", SATURDAY, "incremental")
    candidate.published(fct_survey=110)
    assert candidate.failed("b1")["volume.fct_survey"] == "85 rows, 110 published"


def test_versions_written_past_the_loader_or_lost_are_found(candidate: Candidate) -> None:
    candidate.delivered()
    candidate.loader.execute(
        """
        create table raw.school__lessons as select generate_series(1, 5) as lesson_id;
        create table raw_history.school__lessons as select generate_series(1, 2) as lesson_id;
        """
    )
    candidate.loader.execute(
        """
        insert into meta.batch (
            system, source_table, business_day, window_to, status, load_id, rows_read,
            rows_inserted, rows_updated, rows_unchanged, rows_quarantined, rows_deleted, rows_released
        )
        values
            ('school', 'lessons', '2026-02-28', now(), 'merged', 1, 6, 5, 0, 0, 1, 0, 0),
            ('school', 'lessons', '2026-03-01', now(), 'merged', 2, 2, 0, 1, 1, 0, 0, 1),
            ('school', 'lessons', '2026-03-01', now(), 'refused', null, 9, null, null, null, null, null, null)
        """
    )
    assert candidate.failed(candidate.build("b1")) == {}
    candidate.loader.execute("delete from raw_history.school__lessons")
    assert candidate.failed(candidate.build("b2")) == {"counts.versions_school__lessons": "5 versions"}
    candidate.loader.execute("insert into raw_history.school__lessons select generate_series(1, 3)")
    assert candidate.failed(candidate.build("b3")) == {"counts.versions_school__lessons": "8 versions"}


def test_the_rebuild_of_an_old_day_is_audited_in_its_schema(candidate: Candidate) -> None:
    candidate.delivered(SUNDAY)
    candidate.run("create schema asof_2026_02_28")
    candidate.run("create table asof_2026_02_28.customer_registry as table core.customer_registry")
    candidate.run("create table asof_2026_02_28.fct_attendance as table core.fct_attendance")
    build = candidate.build("b1", SATURDAY, schema="asof_2026_02_28")
    # The lesson of the evening of the 1st has not taken place by then.
    assert candidate.failed(build) == {"counts.fct_attendance": "2 rows, sum of hours differs"}
    candidate.run("delete from asof_2026_02_28.fct_attendance where attendance_id = 'a2'")
    assert candidate.failed(candidate.build("b2", SATURDAY, schema="asof_2026_02_28")) == {}


def test_an_unknown_build_is_told(candidate: Candidate) -> None:
    with pytest.raises(LifecourseError, match="no such build"):
        candidate.audit("b404")


def test_every_fact_that_is_expected_reads_canonical_tables(candidate: Candidate) -> None:
    """Each query runs on tables that have the columns of the contract."""
    candidate.delivered()
    for fact in rows.module_of("audit").FACTS:
        assert isinstance(fact, Fact)
        candidate.run(f"drop table if exists core.{fact.name}")
        sums = "".join(f", null::numeric as {name}" for name in fact.figures)
        keys = "null::text as customer_id, null::text as lead_id"
        candidate.run(f"create table core.{fact.name} as select {keys}{sums} where false")
    outcomes = {each.rule: each for each in _audited(candidate, candidate.build("b1")).outcomes}
    for fact in rows.module_of("audit").FACTS:
        assert outcomes[fact.name].observed.startswith("0 rows" if fact.is_counted else "sums")
        figures = f"equal sums of {', '.join(fact.figures)}" if fact.figures else ""
        assert outcomes[fact.name].expected.endswith(figures)


def _audited(candidate: Candidate, build: str) -> AuditResult:
    try:
        return candidate.audit(build)
    except AuditFailed as error:
        return error.result


# Data Docs


class Links(HTMLParser):
    """Everything that a page links to or loads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


def test_data_docs_show_the_night_by_themselves(candidate: Candidate) -> None:
    candidate.delivered()
    (batch,) = candidate.loader.execute(
        """
        insert into meta.batch (
            system, source_table, business_day, window_to, status, load_id, rows_read,
            rows_inserted, rows_updated, rows_unchanged, rows_quarantined
        )
        values ('school', 'lessons', %s, now(), 'merged', 3, 400, 388, 0, 0, 12) returning batch_id
        """,
        (SUNDAY,),
    ).fetchone()  # type: ignore[misc]
    results = [
        rows.RuleResult(
            "lessons", *rows.rule_of(each), 12 if rows.rule_of(each)[0] == "negative_hours" else 0
        )
        for each in rows.suite_of("lessons").expectations
    ]
    rows.record(candidate.loader, batch, results)
    candidate.audit(candidate.build("b1"))

    site = docs.directory()
    index = (site / "index.html").read_text(encoding="utf-8")
    assert "school.lessons" in index
    assert f"batch {batch}" in index
    assert 'class="status quarantine"' in index
    pages = list(site.rglob("*.html"))
    for page in pages:
        for link in Links(page).found:
            assert not re.match(r"^(\w+:)?//", link), f"{page} asks somebody else for {link}"
            path = link.split("#")[0]
            if path:
                assert (page.parent / path.replace("%20", " ")).is_file(), f"{page} leads nowhere: {link}"
    (validation,) = (site / "validations" / "lessons").rglob("*.html")
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", validation.read_text(encoding="utf-8")))
    assert "12 of 400 rows" in shown
    assert "breaks the rule missing_parent" in shown
    (audited,) = (site / "validations" / "audit").rglob("*.html")
    assert "fct_attendance holds the rows of the canonical tables" in audited.read_text(encoding="utf-8")

    candidate.loader.execute("delete from meta.check_result where batch_id is not null")
    candidate.audit(candidate.build("b2"))
    assert "school.lessons" not in (site / "index.html").read_text(encoding="utf-8")
    assert [path.name for path in site.parent.glob("*data_docs*")] == ["data_docs"]


def test_data_docs_of_a_failed_audit_name_what_failed(candidate: Candidate) -> None:
    candidate.delivered()
    candidate.run("delete from core.fct_payment")
    assert candidate.failed(candidate.build("b1"))
    assert 'class="status failed"' in (docs.directory() / "index.html").read_text(encoding="utf-8")
    (audited,) = (docs.directory() / "validations" / "audit").rglob("*.html")
    assert "0 rows, sum of amount differs; expected 1 rows" in audited.read_text(encoding="utf-8")
