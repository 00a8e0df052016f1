"""A ledger of prepaid teaching in plain Python, written from docs/money_readings.md and the metric dictionary.

It keeps books as a careful clerk would: day by day, lot by lot, with exact fractions, and no thought of speed or of how
the warehouse does it. Only tests use it. Amounts are Decimal, in the currency's hundredths; days are `date`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
DAY = timedelta(days=1)
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Order:
    order_id: str
    customer_id: str
    campus_id: str
    currency: str
    payable_amount: Decimal
    placed_at: datetime


@dataclass(frozen=True)
class Line:
    order_line_id: str
    order_id: str
    course_id: str | None
    product_line: str
    kind: str
    paid_hours: Decimal | None
    gift_hours: Decimal | None
    list_amount: Decimal
    net_amount: Decimal
    granted_on: date | None
    starts_on: date | None
    ends_on: date | None


@dataclass(frozen=True)
class Payment:
    payment_id: str
    order_id: str
    status: str
    amount: Decimal
    currency: str
    paid_at: datetime


@dataclass(frozen=True)
class Refund:
    refund_id: str
    order_id: str
    order_line_id: str | None
    amount: Decimal
    currency: str
    is_whole_line: bool
    resolution: str | None
    requested_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True)
class Lesson:
    attendance_id: str
    customer_id: str
    campus_id: str
    course_id: str | None
    order_line_id: str | None
    lesson_at: datetime
    lesson_hours: Decimal
    hours: Decimal
    outcome: str


@dataclass
class Books:
    """Everything that happened, in any order."""

    orders: list[Order] = field(default_factory=list)
    order_lines: list[Line] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    courses: dict[str, str] = field(default_factory=dict)
    #: (campus or None, rule) -> share
    rules: dict[tuple[str | None, str], Decimal] = field(default_factory=dict)
    #: campus or None -> pro_rata or list_price
    clauses: dict[str | None, str] = field(default_factory=dict)


@dataclass
class Lot:
    """An account of one line: what came in, what was used, what is still owed."""

    lot_id: str
    campus_id: str
    product_line: str
    currency: str
    kind: str
    customer_id: str
    course_id: str | None = None
    granted_on: date | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    units: Decimal | None = None
    #: List price of the line, and the hours or days that it is for: those given on top have none.
    list_amount: Decimal = NOTHING
    list_units: Decimal | None = None
    billed: Decimal = NOTHING
    refunded: Decimal = NOTHING
    used: Decimal = NOTHING
    recognised: Decimal = NOTHING
    expired: Decimal = NOTHING
    given_up_on: date | None = None
    expired_on: date | None = None

    @property
    def value(self) -> Decimal:
        return self.billed - self.refunded

    @property
    def book(self) -> tuple[str, str, str]:
        return self.campus_id, self.product_line, self.currency

    def earned(self) -> Decimal:
        """What the units used so far are worth at the price of today."""
        if self.value <= 0:
            return self.value
        if not self.units:
            return NOTHING
        return cents(Fraction(self.value) * Fraction(self.used) / Fraction(self.units))


@dataclass
class Outcome:
    """What the ledger says in the end."""

    lots: dict[str, Lot]
    #: attendance, lot (or None) -> coverage, hours, revenue
    consumption: dict[tuple[str, str | None], tuple[str, Decimal, Decimal]]
    #: lot, day, kind -> amount (never 0)
    movements: dict[tuple[str, date, str], Decimal]
    #: day, campus, product line, currency -> opening, billings, refunds, recognised, expired, closing
    days: dict[tuple[date, str, str, str], tuple[Decimal, ...]]


def day_of(instant: datetime) -> date:
    return instant.astimezone(ZONE).date()


def cents(amount: Fraction) -> Decimal:
    """Rounded to cents, halves away from zero."""
    hundredths = abs(amount) * 100
    whole = int(hundredths)
    if hundredths - whole >= Fraction(1, 2):
        whole += 1
    return Decimal(whole if amount >= 0 else -whole) / 100


def shares(total: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """A total among lines by weight: running totals are rounded, so that the parts add up to the whole."""
    whole, so_far, given, parts = sum(weights), Decimal(0), NOTHING, []
    for weight in weights:
        so_far += weight
        up_to = cents(Fraction(total) * Fraction(so_far) / Fraction(whole))
        parts.append(up_to - given)
        given = up_to
    return parts


def weights_of(lines: list[Line]) -> list[Decimal]:
    """Net amounts; where all are 0, list prices; where all of these are 0 too, the same for each."""
    for weights in ([line.net_amount for line in lines], [line.list_amount for line in lines]):
        if sum(weights) > 0:
            return weights
    return [Decimal(1) for _ in lines]


class Ledger:
    """One institution's books up to a day."""

    def __init__(self, books: Books, as_of: date) -> None:
        self.books, self.as_of = books, as_of
        self.orders = {o.order_id: o for o in books.orders if day_of(o.placed_at) <= as_of}
        self.lines: dict[str, list[Line]] = defaultdict(list)
        for line in sorted(books.order_lines, key=lambda line: line.order_line_id):
            if line.order_id in self.orders:
                self.lines[line.order_id].append(line)
        self.lots: dict[str, Lot] = {}
        self.movements: dict[tuple[str, date, str], Decimal] = defaultdict(lambda: NOTHING)
        self.consumption: dict[tuple[str, str | None], tuple[str, Decimal, Decimal]] = {}
        #: Of each order and currency, what was paid, and paid back without naming a line; of each lot, its shares.
        self.order_paid: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOTHING)
        self.order_back: dict[tuple[str, str], Decimal] = defaultdict(lambda: NOTHING)
        self.shared: dict[str, tuple[Decimal, Decimal]] = {}
        self.days: dict[tuple[date, str, str, str], tuple[Decimal, ...]] = {}

    # -- the day's work ----------------------------------------------------------------------------

    def keep(self) -> Outcome:
        """Go through the days one after the other."""
        self._open_lots()
        today = self._first_day()
        closing: dict[tuple[str, str, str], Decimal] = {}
        while today <= self.as_of:
            periods: dict[tuple[str, str, str], Decimal] = defaultdict(lambda: NOTHING)
            self._money(today)
            self._ends(today)
            self._lessons(today)
            self._periods(today, periods)
            self._close(today, periods, closing)
            today += DAY
        kept = {
            lot_id: lot
            for lot_id, lot in self.lots.items()
            if (lot.granted_on and lot.granted_on <= self.as_of) or lot.billed or lot.refunded
        }
        moved = {key: amount for key, amount in self.movements.items() if amount}
        return Outcome(kept, self.consumption, moved, self.days)

    def _first_day(self) -> date:
        days = [day_of(o.placed_at) for o in self.books.orders]
        days += [day_of(lesson.lesson_at) for lesson in self.books.lessons]
        # A period may have begun before its order was placed: its days count from the first.
        days += [lot.starts_on for lot in self.lots.values() if lot.starts_on]
        return min(days, default=self.as_of)

    def _open_lots(self) -> None:
        for order in self.orders.values():
            for line in self.lines[order.order_id]:
                granted = self._granted_on(order, line)
                start = line.starts_on or granted or day_of(order.placed_at)
                lot = Lot(
                    line.order_line_id, order.campus_id, line.product_line, order.currency, line.kind,
                    order.customer_id, line.course_id, granted, ends_on=line.ends_on, list_amount=line.list_amount,
                )  # fmt: skip
                if line.kind == "package":
                    lot.units = (line.paid_hours or Decimal(0)) + (line.gift_hours or Decimal(0))
                    lot.list_units = line.paid_hours
                elif line.ends_on:
                    lot.starts_on = min(start, line.ends_on)
                    lot.units = lot.list_units = Decimal((line.ends_on - lot.starts_on).days + 1)
                self.lots[lot.lot_id] = lot

    def _granted_on(self, order: Order, line: Line) -> date | None:
        """The purchase is the first successful payment; a gift begins on its day, or with its order."""
        if order.payable_amount == 0:
            day = line.granted_on or day_of(order.placed_at)
            return day if day <= self.as_of else None
        paid = [
            day_of(p.paid_at)
            for p in self.books.payments
            if p.order_id == order.order_id and p.status == "succeeded" and day_of(p.paid_at) <= self.as_of
        ]
        return min(paid, default=None)

    def _move(self, lot: Lot, day: date, kind: str, amount: Decimal) -> None:
        self.movements[lot.lot_id, day, kind] += amount

    # -- money -------------------------------------------------------------------------------------

    def _money(self, today: date) -> None:
        """All money of the day first, then the price of what was used already follows it."""
        touched: dict[str, Lot] = {}
        unnamed: set[tuple[str, str]] = set()
        for payment in self.books.payments:
            order = self.orders.get(payment.order_id)
            if order is None or payment.status != "succeeded":
                continue
            if max(day_of(payment.paid_at), day_of(order.placed_at)) == today:
                self.order_paid[order.order_id, payment.currency] += payment.amount
                unnamed.add((order.order_id, payment.currency))
        for refund in self.books.refunds:
            if not self._is_paid_back(refund, today):
                continue
            order = self.orders[refund.order_id]
            line_ids = [line.order_line_id for line in self.lines[order.order_id]]
            if refund.order_line_id in line_ids and refund.currency == order.currency:
                lot = self.lots[str(refund.order_line_id)]
                lot.refunded += refund.amount
                self._move(lot, today, "refund", refund.amount)
                touched[lot.lot_id] = lot
            else:
                self.order_back[order.order_id, refund.currency] += refund.amount
                unnamed.add((order.order_id, refund.currency))
        for order_id, currency in sorted(unnamed):
            for lot in self._share_out(order_id, currency, today):
                touched[lot.lot_id] = lot
        for lot in touched.values():
            self._follow(lot, today)

    def _is_paid_back(self, refund: Refund, today: date) -> bool:
        order = self.orders.get(refund.order_id)
        if order is None or refund.resolution != "paid" or refund.resolved_at is None:
            return False
        return self._paid_back_on(refund) == today

    def _paid_back_on(self, refund: Refund) -> date:
        assert refund.resolved_at is not None
        order = self.orders[refund.order_id]
        return max(day_of(refund.resolved_at), day_of(refund.requested_at), day_of(order.placed_at))

    def _share_out(self, order_id: str, currency: str, today: date) -> list[Lot]:
        """Bring the lots of an order to their share of what was paid, and paid back without naming a line."""
        order, lines = self.orders[order_id], self.lines[order_id]
        if lines and currency == order.currency:
            lots = [self.lots[line.order_line_id] for line in lines]
            weights = weights_of(lines)
        else:
            lot_id = f"order:{order_id}:{currency}"
            if lot_id not in self.lots:
                self.lots[lot_id] = Lot(
                    lot_id, order.campus_id, "unassigned", currency, "unassigned", order.customer_id
                )
            lots, weights = [self.lots[lot_id]], [Decimal(1)]
        paid = shares(self.order_paid[order_id, currency], weights)
        back = shares(self.order_back[order_id, currency], weights)
        for lot, paid_share, back_share in zip(lots, paid, back, strict=True):
            had_paid, had_back = self.shared.get(lot.lot_id, (NOTHING, NOTHING))
            more_paid, more_back = paid_share - had_paid, back_share - had_back
            self.shared[lot.lot_id] = (paid_share, back_share)
            lot.billed += more_paid
            lot.refunded += more_back
            self._move(lot, today, "billing", more_paid)
            self._move(lot, today, "refund", more_back)
        return lots

    def _follow(self, lot: Lot, today: date) -> None:
        """After money moved: hours used already are worth what the new price says."""
        if lot.given_up_on:
            self._recognise(lot, today, "settled", lot.value)
        else:
            # Of a line that is given up today everything is settled in one, unless it has expired by now.
            has_ended = lot.kind == "package" and lot.ends_on is not None and today > lot.ends_on
            if has_ended or not self._given_up_today(lot, today):
                self._recognise(lot, today, "adjusted", lot.earned())
            if lot.expired_on:
                self._expire(lot, today)

    def _recognise(self, lot: Lot, today: date, kind: str, so_far: Decimal) -> None:
        self._move(lot, today, kind, so_far - lot.recognised)
        lot.recognised = so_far

    def _expire(self, lot: Lot, today: date) -> None:
        left = lot.value - lot.recognised
        self._move(lot, today, "expired", left - lot.expired)
        lot.expired = left

    # -- ends --------------------------------------------------------------------------------------

    def _given_up_today(self, lot: Lot, today: date) -> bool:
        for refund in self.books.refunds:
            if refund.is_whole_line and self._is_paid_back(refund, today):
                order_id = refund.order_id
                of_order = {line.order_line_id for line in self.lines[order_id]}
                if lot.lot_id in of_order and refund.order_line_id in (None, lot.lot_id):
                    return True
        return False

    def _ends(self, today: date) -> None:
        for lot in self.lots.values():
            if lot.given_up_on or lot.expired_on:
                continue
            if lot.kind == "package" and lot.ends_on and today > lot.ends_on:
                lot.expired_on = lot.ends_on + DAY
                self._expire(lot, today)
            elif self._given_up_today(lot, today):
                lot.given_up_on = today
                self._claw_back(lot, today)
                self._recognise(lot, today, "settled", lot.value)

    def _claw_back(self, lot: Lot, today: date) -> None:
        """Under the clause, hours or days used cost their list price once the rest is given back."""
        clause = self.books.clauses.get(lot.campus_id, self.books.clauses.get(None, "pro_rata"))
        if clause != "list_price" or not lot.list_units:
            return
        at_list = cents(Fraction(lot.list_amount) * Fraction(lot.used) / Fraction(lot.list_units))
        # No more than the institution kept in the end.
        so_far = min(at_list, lot.value)
        if so_far > lot.recognised:
            self._recognise(lot, today, "clawback", so_far)

    # -- lessons -----------------------------------------------------------------------------------

    def _share_of(self, campus: str, rule: str) -> Decimal:
        usual = {"absence_consumes": Decimal(1), "leave_consumes": Decimal(0), "late_consumes": Decimal(1)}
        for key in ((campus, rule), (None, rule)):
            if key in self.books.rules:
                return self.books.rules[key]
        return usual[rule]

    def _hours(self, lesson: Lesson) -> Decimal:
        if lesson.outcome == "absent":
            hours = lesson.lesson_hours * self._share_of(lesson.campus_id, "absence_consumes")
        elif lesson.outcome == "leave":
            hours = lesson.lesson_hours * self._share_of(lesson.campus_id, "leave_consumes")
        elif lesson.outcome == "late":
            hours = lesson.hours * self._share_of(lesson.campus_id, "late_consumes")
        else:
            hours = lesson.hours
        return cents(Fraction(hours))

    def _is_open(self, lot: Lot, today: date) -> bool:
        return (
            lot.granted_on is not None
            and lot.granted_on <= today
            and not (lot.ends_on and today > lot.ends_on)
            and not lot.given_up_on
        )

    def _lessons(self, today: date) -> None:
        of_today = [lesson for lesson in self.books.lessons if day_of(lesson.lesson_at) == today]
        for lesson in sorted(of_today, key=lambda lesson: (lesson.lesson_at, lesson.attendance_id)):
            wanted = self._hours(lesson)
            if wanted > 0:
                self._teach(lesson, wanted, today)

    def _teach(self, lesson: Lesson, wanted: Decimal, today: date) -> None:
        mine = [
            lot
            for lot in self.lots.values()
            if lot.customer_id == lesson.customer_id and self._is_open(lot, today)
        ]
        own = [lot for lot in mine if lot.lot_id == lesson.order_line_id]
        if own and own[0].kind == "period":
            self.consumption[lesson.attendance_id, own[0].lot_id] = ("period", wanted, NOTHING)
            return
        others = [
            lot for lot in mine if lot not in own and lot.kind == "package" and fits(lot, lesson, self.books)
        ]
        others.sort(key=lambda lot: (str(lot.granted_on), lot.lot_id))
        for lot in [*own, *others]:
            taken = min(wanted, (lot.units or Decimal(0)) - lot.used)
            if taken > 0:
                lot.used += taken
                revenue = lot.earned() - lot.recognised
                lot.recognised = lot.earned()
                self._move(lot, today, "consumed", revenue)
                self.consumption[lesson.attendance_id, lot.lot_id] = ("package", taken, revenue)
                wanted -= taken
        if wanted > 0:
            self.consumption[lesson.attendance_id, None] = ("none", wanted, NOTHING)

    # -- periods and the close of the day ------------------------------------------------------------

    def _periods(self, today: date, periods: dict[tuple[str, str, str], Decimal]) -> None:
        for lot in self.lots.values():
            if lot.kind != "period" or not lot.units or lot.given_up_on:
                continue
            assert lot.starts_on is not None
            assert lot.ends_on is not None
            if lot.starts_on <= today <= lot.ends_on:
                lot.used += 1
                periods[lot.book] += lot.earned() - lot.recognised
                lot.recognised = lot.earned()

    def _close(
        self,
        today: date,
        periods: dict[tuple[str, str, str], Decimal],
        closing: dict[tuple[str, str, str], Decimal],
    ) -> None:
        sums: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(
            lambda: defaultdict(lambda: NOTHING)
        )
        for (lot_id, day, kind), amount in self.movements.items():
            if day == today and amount:
                sums[self.lots[lot_id].book][kind] += amount
        for book, amount in periods.items():
            if amount or book in closing:
                sums[book]["elapsed"] += amount
        for book in sorted({*sums, *closing}):
            of = sums[book]
            opening = closing.get(book, NOTHING)
            recognised = of["consumed"] + of["elapsed"] + of["adjusted"] + of["clawback"] + of["settled"]
            closing[book] = opening + of["billing"] - of["refund"] - recognised - of["expired"]
            self.days[(today, *book)] = (
                opening, of["billing"], of["refund"], recognised, of["expired"], closing[book],
            )  # fmt: skip


def fits(lot: Lot, lesson: Lesson, books: Books) -> bool:
    """Whether a package that the enrolment does not name is for the course of the lesson."""
    if lot.course_id is not None:
        return lot.course_id == lesson.course_id
    return lesson.course_id is not None and books.courses.get(lesson.course_id) == lot.product_line


def kept(books: Books, as_of: date) -> Outcome:
    """The ledger of the books up to the end of a day."""
    return Ledger(books, as_of).keep()


def owed(outcome: Outcome) -> Iterable[tuple[str, Decimal]]:
    """What is owed on each lot in the end."""
    return ((lot_id, lot.value - lot.recognised - lot.expired) for lot_id, lot in outcome.lots.items())
