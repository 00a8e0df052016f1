"""Books of a seed or drawn by hypothesis, and their way into CSV files: instalments, partial and repeated refunds, gifts, late and odd facts."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies

from .money_ledger import ZONE, Books, Lesson, Line, Order, Payment, Refund

FIRST = date(2025, 9, 1)
AS_OF = date(2026, 3, 1)
COURSES = {"piano": "arts", "violin": "arts", "english": "language"}
CAMPUSES = ("north", "south")
OUTCOMES = ("attended",) * 6 + ("late", "left_early", "made_up", "absent", "absent", "leave")
#: Refund clauses by campus, None: of every other.
CLAUSES: tuple[dict[str | None, str], ...] = (
    {}, {"north": "list_price"}, {None: "list_price"}, {None: "list_price", "north": "pro_rata"},
)  # fmt: skip


def at(day: date, rng: random.Random) -> datetime:
    """An instant of the day; some just before and after midnight."""
    clock = rng.choice([time(0, 5), time(9, 0), time(16, 30), time(23, 55)])
    return datetime.combine(day, clock, ZONE)


class Maker:
    """Books drawn from a generator; with a prefix their keys are apart from those of others."""

    def __init__(self, rng: random.Random, customers: int, prefix: str = "") -> None:
        self.rng = rng
        self.prefix = prefix
        self.books = Books(courses=dict(COURSES))
        self.count = 0
        if self.rng.random() < 0.7:
            self.books.rules = {
                ("north", "absence_consumes"): Decimal("0.5"),
                (None, "late_consumes"): self.rng.choice([Decimal(1), Decimal("0.75")]),
                ("south", "leave_consumes"): Decimal("0.33"),
            }
        self.books.clauses = self.rng.choice(CLAUSES)
        for number in range(customers):
            self.customer(f"{prefix}K{number:04d}")
        for rows in (
            self.books.orders, self.books.order_lines, self.books.payments, self.books.refunds, self.books.lessons,
        ):  # fmt: skip
            self.rng.shuffle(rows)

    def key(self, letter: str) -> str:
        self.count += 1
        return f"{self.prefix}{letter}{self.count:06d}"

    def day(self, first: date = FIRST, spread: int = 220) -> date:
        return first + timedelta(days=self.rng.randrange(spread))

    def customer(self, customer_id: str) -> None:
        lines: list[Line] = []
        for _ in range(self.rng.choice([0, 1, 1, 1, 2, 3])):
            lines += self.order(customer_id)
        for _ in range(self.rng.choice([0, 3, 10, 25])):
            self.lesson(customer_id, lines)
        if self.rng.random() < 0.2:
            self.leaver(customer_id)

    def leaver(self, customer_id: str) -> None:
        """A package paid at once, some lessons of it, and the rest given back: all of it, less a fee, or too much."""
        rng = self.rng
        order_id, placed, campus = self.key("O"), self.day(spread=90), rng.choice(CAMPUSES)
        net = Decimal(rng.randrange(100000, 900000)) / 100
        line = Line(
            self.key("L"), order_id, "piano", "arts", "package", Decimal(20), rng.choice([None, Decimal(4)]),
            (net * rng.choice([Decimal(1), Decimal("1.25")])).quantize(Decimal("0.01")), net, None, None, None,
        )  # fmt: skip
        self.books.orders.append(Order(order_id, customer_id, campus, "CNY", net, at(placed, rng)))
        self.books.order_lines.append(line)
        self.books.payments.append(Payment(self.key("P"), order_id, "succeeded", net, "CNY", at(placed, rng)))
        lessons = rng.randrange(1, 9)
        for number in range(lessons):
            lesson_at = at(placed + timedelta(days=1 + 3 * number), rng)
            self.books.lessons.append(
                Lesson(self.key("A"), customer_id, campus, "piano", line.order_line_id, lesson_at,
                       Decimal(2), Decimal(2), "attended")
            )  # fmt: skip
        rest = (
            net
            * (1 - Decimal(2 * lessons) / 20)
            * rng.choice([Decimal("0.7"), Decimal("0.95"), Decimal("1.1")])
        )
        gone = placed + timedelta(days=rng.randrange(5, 40))
        self.books.refunds.append(
            Refund(self.key("R"), order_id, line.order_line_id, rest.quantize(Decimal("0.01")), "CNY", True, "paid",
                   datetime.combine(gone, time(9), ZONE), datetime.combine(gone, time(18), ZONE))
        )  # fmt: skip

    def order(self, customer_id: str) -> list[Line]:
        rng = self.rng
        order_id, placed = self.key("O"), self.day(spread=170)
        currency = rng.choice(["CNY", "CNY", "CNY", "USD"])
        lines = [self.line(order_id, placed) for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3]))]
        if rng.random() < 0.12:
            lines = [Line(**{**asdict(line), "net_amount": Decimal("0.00")}) for line in lines]
        net = sum((line.net_amount for line in lines), Decimal("0.00"))
        # Money of an order without a line; or a discount on the order that the lines do not show.
        payable = (
            Decimal(rng.randrange(100, 90000)) / 100 if not lines or (not net and rng.random() < 0.3) else net
        )
        if lines and net and rng.random() < 0.1:
            payable = max(net - Decimal("10.01"), Decimal("0.01"))
        self.books.orders.append(
            Order(order_id, customer_id, rng.choice(CAMPUSES), currency, payable, at(placed, rng))
        )
        self.books.order_lines += lines
        if payable and rng.random() < 0.92:
            self.money(order_id, placed, payable, currency, lines)
        return lines

    def line(self, order_id: str, placed: date) -> Line:
        rng = self.rng
        course = rng.choice([*COURSES, None])
        is_package = rng.random() < 0.65
        hours = Decimal(rng.randrange(2, 80)) / 2
        start = placed + timedelta(days=rng.randrange(-5, 25))
        end: date | None = start + timedelta(days=rng.randrange(0, 120))
        net = Decimal(rng.randrange(1, 300000)) / 100
        if is_package:
            end = None if rng.random() < 0.5 else end
        elif rng.random() < 0.06:
            end = None
        return Line(
            self.key("L"), order_id, course, COURSES.get(str(course), "arts"), "package" if is_package else "period",
            hours if is_package and rng.random() < 0.95 else None,
            Decimal(rng.randrange(1, 8)) if is_package and rng.random() < 0.4 else None,
            (net * rng.choice([Decimal(1), Decimal("1.1"), Decimal("1.37")])).quantize(Decimal("0.01")),
            net,
            placed + timedelta(days=rng.randrange(10)) if rng.random() < 0.3 else None,
            start if rng.random() < 0.8 else None,
            end,
        )  # fmt: skip

    def money(
        self, order_id: str, placed: date, payable: Decimal, currency: str, lines: Sequence[Line]
    ) -> None:
        rng = self.rng
        parts = rng.choice([1, 1, 1, 2, 3, 4])
        left, day = payable, placed + timedelta(days=rng.choice([0, 0, 0, 1, 4, -2]))
        paid = Decimal("0.00")
        for part in range(parts):
            amount = left if part == parts - 1 else (left / (parts - part)).quantize(Decimal("0.01"))
            left -= amount
            status = rng.choice(["succeeded"] * 12 + ["failed", "pending"])
            given = "USD" if currency == "CNY" and rng.random() < 0.03 else currency
            if status == "succeeded" and given == currency:
                paid += amount
            self.books.payments.append(Payment(self.key("P"), order_id, status, amount, given, at(day, rng)))
            day += timedelta(days=rng.randrange(0, 45))
            if rng.random() < 0.1:
                break
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
            if paid > 0:
                paid -= self.refund(order_id, placed, paid, currency, lines)

    def refund(
        self, order_id: str, placed: date, most: Decimal, currency: str, lines: Sequence[Line]
    ) -> Decimal:
        rng = self.rng
        asked = placed + timedelta(days=rng.randrange(0, 90))
        resolved = asked + timedelta(days=rng.randrange(0, 14)) if rng.random() < 0.9 else None
        resolution = rng.choice(["paid", "paid", "paid", "rejected", "withdrawn"]) if resolved else None
        amount = (most * rng.choice([Decimal("0.1"), Decimal("0.37"), Decimal("0.8"), Decimal(1)])).quantize(
            Decimal("0.01")
        )
        named = rng.choice(lines).order_line_id if lines and rng.random() < 0.7 else None
        self.books.refunds.append(
            Refund(
                self.key("R"), order_id, named, amount, currency, rng.random() < 0.5, resolution,
                datetime.combine(asked, time(9), ZONE),
                datetime.combine(resolved, time(18), ZONE) if resolved else None,
            )
        )  # fmt: skip
        return amount if resolution == "paid" else Decimal("0.00")

    def lesson(self, customer_id: str, lines: Sequence[Line]) -> None:
        rng = self.rng
        line = rng.choice(lines) if lines and rng.random() < 0.9 else None
        course = line.course_id if line and line.course_id else rng.choice([*COURSES])
        length = rng.choice([Decimal("1.00"), Decimal("1.50"), Decimal("2.00"), Decimal("0.75")])
        outcome = rng.choice(OUTCOMES)
        named = line.order_line_id if line and rng.random() < 0.75 else None
        if rng.random() < 0.02:
            named = "L-of-nobody"
        self.books.lessons.append(
            Lesson(
                self.key("A"), customer_id, rng.choice(CAMPUSES), course, named, at(self.day(), rng), length,
                Decimal("0.00") if outcome in ("absent", "leave") else length, outcome,
            )
        )  # fmt: skip


def books_of(seed: int, customers: int) -> Books:
    """Books that are the same for the same seed."""
    return Maker(random.Random(seed), customers).books


def drawn_books(examples: int) -> Books:
    """Books of as many examples by hypothesis, each a customer with a history of its own, put together.

    By turns hypothesis draws every choice, so that equal days and least and largest amounts are common, or a seed. The same
    number of examples gives the same books.
    """
    together = Books(courses=dict(COURSES))
    together.rules = {("north", "absence_consumes"): Decimal("0.5"), (None, "late_consumes"): Decimal("0.75")}
    together.clauses = dict(CLAUSES[3])

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategies.booleans().flatmap(lambda by_seed: strategies.randoms(use_true_random=by_seed)))
    def collect(rng: random.Random) -> None:
        example = Maker(rng, 1, prefix=f"H{len(together.orders)}.{len(together.lessons)}.").books
        for name in ("orders", "order_lines", "payments", "refunds", "lessons"):
            getattr(together, name).extend(getattr(example, name))

    collect()
    return together


def write(folder: Path, books: Books) -> None:
    """The books as the files that `lifecourse books` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("orders", "order_lines", "payments", "refunds", "lessons"):
        rows: list[Any] = getattr(books, name)
        kind = {
            "orders": Order,
            "order_lines": Line,
            "payments": Payment,
            "refunds": Refund,
            "lessons": Lesson,
        }
        columns = [each.name for each in fields(kind[name])]  # type: ignore[arg-type]
        _write(folder / f"{name}.csv", columns, [[_text(getattr(row, c)) for c in columns] for row in rows])
    _write(
        folder / "courses.csv", ["course_id", "product_line"], [list(pair) for pair in books.courses.items()]
    )
    rules = [[campus or "", rule, str(share), ""] for (campus, rule), share in books.rules.items()]
    rules += [[campus or "", "refund_clause", "", clause] for campus, clause in books.clauses.items()]
    _write(folder / "rules.csv", ["campus_id", "rule", "value", "choice"], rules)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
