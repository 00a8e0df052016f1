"""Books that arrive in no order over several nights: every night equals the ledger, and the last a full build."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from lifecourse import building
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical, snapshot
from tests.reference.money_books import books_of
from tests.reference.money_ledger import Books, kept

pytestmark = pytest.mark.slow

#: The first is full, the others are incremental; packages expire and lessons take place between them.
NIGHTS = (date(2026, 1, 10), date(2026, 1, 11), date(2026, 3, 1))
MONEY = (
    "fct_lot", "fct_lesson_consumption", "fct_revenue_movement", "fct_period_revenue", "fct_deferred_revenue_day",
    "fct_prepayment_check",
)  # fmt: skip


def canonical_rows(books: Books) -> Iterator[tuple[str, dict[str, Any]]]:
    """The books as rows of the canonical tables, each with its table."""
    for order in books.orders:
        row = {**vars(order), "learner_id": order.customer_id, "status": "placed"}
        yield "orders", {key: value for key, value in row.items() if key != "customer_id"}
    for line in books.order_lines:
        yield "order_lines", {**vars(line), "delivery": "scheduled"}
    for payment in books.payments:
        yield "payments", {**vars(payment), "method": "bank"}
    for refund in books.refunds:
        yield "refunds", {**vars(refund), "payment_id": "x"}
    for lesson in books.lessons:
        key = lesson.attendance_id
        yield "enrolments", {
            "enrolment_id": key, "learner_id": lesson.customer_id, "course_id": lesson.course_id,
            "campus_id": lesson.campus_id, "order_line_id": lesson.order_line_id, "delivery": "scheduled",
            "status": "active", "enrolled_on": date(2025, 8, 1),
        }  # fmt: skip
        yield "lessons", {
            "lesson_id": key, "campus_id": lesson.campus_id, "starts_at": lesson.lesson_at,
            "hours": lesson.lesson_hours, "status": "held",
        }  # fmt: skip
        yield "attendance", {
            "attendance_id": key, "lesson_id": key, "learner_id": lesson.customer_id, "enrolment_id": key,
            "outcome": lesson.outcome, "hours": lesson.hours,
        }  # fmt: skip


def test_nights_in_any_order_equal_the_ledger_and_a_full_build(warehouse: Warehouse) -> None:
    books = books_of(5, 60)
    books.rules, books.clauses = {}, {}
    canonical, rng = Canonical(warehouse), random.Random(5)
    learners = sorted({each.customer_id for each in (*books.orders, *books.lessons)})
    canonical.load({
        "learners": [{"learner_id": each, "campus_id": "north"} for each in learners],
        "courses": [{"course_id": course, "product_line": line} for course, line in books.courses.items()],
    })  # fmt: skip
    batches: list[dict[str, list[dict[str, Any]]]] = [{} for _ in NIGHTS]
    for table, row in canonical_rows(books):
        # Half of everything is there at once, whatever day it is of; the rest comes late.
        batches[rng.choice([0, 0, 1, 2])].setdefault(table, []).append(row)
    kinds = []
    for night, batch in zip(NIGHTS, batches, strict=True):
        canonical.load(batch)
        canonical.deliver(night)
        kinds.append(building.build(night, into=warehouse).kind)
    assert kinds == ["full", "incremental", "incremental"]
    incremental = snapshot(warehouse, "core")
    published = snapshot(warehouse, "marts")
    assert deferred_days(warehouse) == {
        (*key, *amounts) for key, amounts in kept(books, NIGHTS[-1]).days.items()
    }
    building.transform(building.begin(NIGHTS[-1], full=True, into=warehouse), warehouse)
    full = snapshot(warehouse, "core")
    assert {name for name in MONEY if incremental[name] != full[name]} == set()
    assert {name for name in MONEY if incremental[name] != published[name]} == set()
    assert all(full[name] for name in MONEY)


def deferred_days(warehouse: Warehouse) -> set[tuple[Any, ...]]:
    with warehouse.connect(Role.ADMIN) as connection:
        return set(
            connection.execute(
                """
                select day_on, campus_id, product_line, currency, opening, billings, refunds, recognised, expired,
                    closing
                from core.fct_deferred_revenue_day
                """
            ).fetchall()
        )
