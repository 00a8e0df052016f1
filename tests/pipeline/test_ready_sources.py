"""The ready source descriptions, each pulled from a real server or real files, and one build over all three.

One institution: lessons on a real Moodle's tables in MariaDB, packages and lessons as CSV, cards by Stripe (an HTTP
server that answers like it). Numbers are those of the fixtures beside the descriptions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pymysql
import pytest

from lifecourse import building
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.settings import PROJECT, settings
from lifecourse.warehouse.connection import Role, Warehouse
from tests import stripe_server
from tests.contents import tables_with

pytestmark = pytest.mark.slow

READY = PROJECT / "sources" / "ready"
NAMES = ("moodle", "stripe", "lesson_package_csv")
FIRST, SECOND = date(2026, 2, 10), date(2026, 2, 11)


@dataclass
class Night:
    """The warehouse after two nights of loading and a build; the second night came with a refund gone through."""

    warehouse: Warehouse
    stripe: stripe_server.Stripe

    def rows(self, query: str, role: Role = Role.BI_READER) -> list[tuple[Any, ...]]:
        with self.warehouse.connect(role) as connection:
            return connection.execute(query.encode()).fetchall()

    def learners(self) -> dict[str, str]:
        return dict(self.rows("select learner_id, customer_id from core.customer_registry", Role.TRANSFORMER))


@pytest.fixture(scope="module")
def moodle(mysql_url: str) -> Iterator[str]:
    """The URL of a database with the fixture's Moodle."""
    url = urlsplit(mysql_url)
    connection = pymysql.connect(
        host=url.hostname,
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        autocommit=True,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("create database lifecourse_moodle character set utf8mb4")
        try:
            cursor.execute("use lifecourse_moodle")
            script = (READY / "moodle" / "fixture" / "moodle.sql").read_text(encoding="utf-8")
            lines = [line for line in script.splitlines() if not line.startswith("--")]
            for statement in "\n".join(lines).split(";\n"):
                if statement.strip():
                    cursor.execute(statement)
            yield f"{mysql_url}/lifecourse_moodle"
        finally:
            cursor.execute("drop database lifecourse_moodle")


@pytest.fixture(scope="module")
def night(
    module_warehouse: Warehouse, moodle: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Night]:
    sources, files = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("files")
    for name in NAMES:
        shutil.copytree(READY / name, sources, dirs_exist_ok=True, ignore=shutil.ignore_patterns("fixture"))
    for path in (READY / "lesson_package_csv" / "fixture").glob("*.csv"):
        shutil.copy(path, files)
    objects = {
        path.stem: json.loads(path.read_text()) for path in (READY / "stripe" / "fixture").glob("*.json")
    }
    with pytest.MonkeyPatch.context() as patch, stripe_server.running(objects) as stripe:
        patch.setenv("LIFECOURSE_SOURCES_DIR", str(sources))
        patch.setenv("LIFECOURSE_TIMEZONE", "Asia/Shanghai")
        patch.setenv("LIFECOURSE_MOODLE_URL", moodle)
        patch.setenv("LIFECOURSE_PACKAGES_DIR", str(files))
        patch.setenv("LIFECOURSE_STRIPE_URL", stripe.url)
        patch.setenv("LIFECOURSE_STRIPE_KEY", stripe_server.KEY)
        settings.cache_clear()
        _deliver(FIRST, module_warehouse)
        # A refund that goes through later.
        for refund in objects["refunds"]:
            if refund["status"] == "pending":
                refund["status"] = "succeeded"
        _deliver(SECOND, module_warehouse)
        assert building.build(SECOND, into=module_warehouse).status == "published"
        yield Night(module_warehouse, stripe)
    settings.cache_clear()


def _deliver(day: date, into: Warehouse) -> None:
    for system in ("moodle", "lessonbook", "stripe"):
        assert pull_system(system, day, into).errors == {}
        merged = merge_system(system, day, into)
        assert merged.refused == {}
        assert sum(counts.quarantined for counts in merged.tables.values()) == 0
        deliver(system, day, into)


def test_lessons_of_moodle(night: Night) -> None:
    found = night.rows(
        "select outcome, count(*), sum(hours) from marts.fct_attendance where class_id = '2' group by 1 order by 1"
    )
    assert found == [
        ("absent", 1, 0), ("attended", 3, Decimal("4.50")), ("late", 1, Decimal("1.50")), ("leave", 1, 0),
    ]  # fmt: skip
    assert set(night.learners()) == {"3", "4", "5", "S1", "S2", "S3", "S4"}, (
        "teacher, guest and cron are no learners"
    )


def test_homework_and_quizzes_of_moodle(night: Night) -> None:
    ids = {customer: learner for learner, customer in night.learners().items()}
    found = night.rows(
        "select customer_id, topic, submission_status, days_late, score from marts.fct_homework"
    )
    assert sorted((ids[customer], *rest) for customer, *rest in found) == [
        ("3", "Decimals", "on_time", 0, None), ("3", "Fractions", "on_time", 0, 90),
        ("4", "Decimals", "missing", None, None), ("4", "Fractions", "late", 1, 60),
        ("5", "Decimals", "missing", None, None), ("5", "Fractions", "missing", None, None),
    ]  # fmt: skip
    scores = night.rows("select score_rate from marts.fct_assessment order by 1")
    assert scores == [(Decimal("0.4000"),), (Decimal("0.7500"),)]


def test_enrolments_of_moodle(night: Night) -> None:
    found = night.rows(
        "select enrolment_id, delivery, status, enrolled_on, ends_on, withdrawn_on, completed_on"
        " from marts.fct_enrolment where enrolment_id like '%-%' order by 1"
    )
    june = date(2026, 6, 30)
    assert found == [
        ("2-3", "scheduled", "active", date(2026, 1, 5), june, None, None),
        ("2-4", "scheduled", "active", date(2026, 1, 5), june, None, None),
        ("2-5", "scheduled", "active", date(2026, 1, 5), june, None, None),
        ("3-4", "self_paced", "completed", date(2026, 1, 6), None, None, date(2026, 2, 1)),
        ("3-5", "self_paced", "withdrawn", date(2026, 1, 6), None, date(2026, 1, 20), None),
    ]


def test_the_log_of_moodle_is_study_and_a_login_is_none(night: Night) -> None:
    ids = {customer: learner for learner, customer in night.learners().items()}
    found = night.rows(
        "select customer_id, learning_on, activity_count, is_study_day from marts.fct_learning_day"
    )
    assert sorted((ids[customer], *rest) for customer, *rest in found) == [
        ("3", date(2026, 2, 8), 2, True),
        ("4", date(2026, 2, 9), 0, False),
    ]


def test_addresses_and_names_stay_in_the_vault(night: Night) -> None:
    values = ["192.0.2.3", "ann@home.example", "Ann Abbot", "payer1@home.example", "Rose Ash", "12900000012"]
    assert {name.split(".")[0] for name in tables_with(night.warehouse, values)} == {"vault"}


def test_money_of_stripe(night: Night) -> None:
    found = night.rows(
        "select payment_id, order_id, status, amount, fee_amount, currency from marts.fct_payment"
        " where method = 'card' order by 1"
    )
    assert found == [
        ("ch_1", "ch_1", "succeeded", Decimal("3600.00"), Decimal("104.40"), "CNY"),
        ("ch_2", "ch_2", "succeeded", Decimal("900.00"), Decimal("26.10"), "CNY"),
        ("ch_3", "ch_3", "failed", Decimal("900.00"), None, "CNY"),
        # A currency without cents, and a minute before midnight in Shanghai.
        ("ch_4", "ch_4", "succeeded", Decimal("50000.00"), Decimal("1450.00"), "JPY"),
        ("ch_6", "P1001", "succeeded", Decimal("1200.00"), Decimal("34.80"), "CNY"),
        # A currency of a thousand parts; the account settles in another, and so is its fee.
        ("ch_7", "ch_7", "succeeded", Decimal("12.50"), None, "KWD"),
    ]
    assert night.rows("select paid_on from marts.fct_payment where payment_id = 'ch_4'") == [
        (date(2026, 1, 14),)
    ]
    assert night.rows("select count(*) from marts.fct_order where customer_id is null") == [(0,)]


def test_a_refund_that_changes_after_it_was_created_is_read_again(night: Night) -> None:
    found = night.rows("select resolution, refunded_amount from marts.fct_refund where refund_id = 're_2'")
    assert found == [("paid", Decimal("100.00"))]
    before = night.rows("select status from raw_history.stripe__refunds where id = 're_2'", Role.ADMIN)
    assert before == [("pending",)]
    touched = night.rows(
        "select distinct key from meta.touched join raw.stripe__refunds on _load_id = load_id"
        " where id = 're_2' and kind = 'learner'",
        Role.ADMIN,
    )
    assert touched == [("S1",)], "the next build computes this customer anew"


def test_the_last_refund_of_a_charge_gives_up_what_it_paid_for(night: Night) -> None:
    found = night.rows(
        "select refund_id, order_id, resolution, refunded_amount, is_whole_line from marts.fct_refund order by 1"
    )
    assert found == [
        ("re_1", "ch_2", "paid", Decimal("300.00"), False),
        ("re_2", "ch_1", "paid", Decimal("100.00"), False),
        ("re_3", "ch_2", "paid", Decimal("600.00"), True),
        ("re_4", "ch_7", "rejected", Decimal("0.00"), False),
        # An order of another system.
        ("re_5", "P1001", "paid", Decimal("500.00"), False),
        ("re_6", "P1001", "paid", Decimal("700.00"), True),
    ]


def test_stripe_is_read_page_by_page(night: Night) -> None:
    spec_pages = [
        each for each in night.stripe.asked if each["path"] == ["charges"] and "created[lte]" in each
    ]
    assert all(int(each["limit"][0]) <= 100 for each in spec_pages)
    # Sixty days and two nights back: the second pull asks for what was created since.
    assert any("created[gt]" in each for each in spec_pages)


def test_bills_of_stripe_meet_the_payments(night: Night) -> None:
    found = night.rows(
        "select row_kind, reconciliation_status, count(*) from marts.fct_payment_reconciliation"
        " where channel = 'stripe' group by 1, 2 order by 1, 2"
    )
    # Charge 5 names nobody; the refund that came through today has no bill row yet; one that failed is no row at all.
    assert found == [
        ("payment", "matched", 5), ("payment", "missing_in_orders", 1),
        ("refund", "matched", 4), ("refund", "missing_in_bill", 1),
    ]  # fmt: skip
    # Charge 7 in its own currency, not in that of the account.
    found = night.rows(
        "select bill_amount, bill_currency, bill_fee_amount from marts.fct_payment_reconciliation"
        " where payment_id = 'ch_7'"
    )
    assert found == [(Decimal("12.50"), "KWD", None)]


def test_packages_and_lessons_of_csv(night: Night) -> None:
    # 2,200 over 22 lessons; leave consumes nothing, an absence does.
    found = night.rows(
        "select order_id, sum(lesson.hours), sum(lesson.revenue_amount) from marts.fct_lesson_consumption as lesson"
        " inner join marts.fct_lot as lot using (lot_id) where order_id like 'P%' group by 1 order by 1"
    )
    # P1001 was given up on the day of its only lesson: Stripe paid back all that was paid for it.
    assert found == [("P1000", Decimal("4.00"), Decimal("400.00"))]
    stages = night.rows("select count(*) from marts.dim_customer where current_stage is not null")
    assert stages == [(7,)]
