"""Payments and refunds against the channels' bills: every planted discrepancy is found, and none is invented."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lifecourse.building.dbt import Dbt, risk_signal_codes
from lifecourse.identity import resolve
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.canonical import Canonical

pytestmark = pytest.mark.slow

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST, AS_OF = date(2026, 1, 5), date(2026, 2, 10)
MODELS = [
    *(f"stg_{name}" for name in ("learners", "enrolments", "leads", "orders", "order_lines", "payments", "refunds")),
    "stg_settlement_bills",
    *("customer_registry", "int_lead", "changed_customer", "int_customer_scope"),
    *("fct_order", "fct_payment", "fct_refund", "fct_payment_reconciliation"),
]  # fmt: skip

Rows = dict[str, list[dict[str, Any]]]


def at(day: date) -> datetime:
    return datetime.combine(day, time(12), SHANGHAI)


class Month:
    """A month's payments, refunds and bills that agree, until something is planted."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.rows: Rows = {"orders": [], "payments": [], "refunds": [], "settlement_bills": []}
        self.expected: dict[str, str] = {}
        for number in range(260):
            self.sale(number)

    def sale(self, number: int) -> None:
        rng = self.rng
        method = rng.choice(["wechat", "alipay", "card", "cash", "bank"])
        # The first bill of all channels is of the first day.
        day = FIRST if number < 8 else FIRST + timedelta(days=rng.randrange(0, (AS_OF - FIRST).days + 1))
        method = ("wechat", "alipay", "card")[number % 3] if number < 8 else method
        # Stripe settles by its API, in the currency of the card, and names charges and refunds by its own numbers only.
        currency = "USD" if method == "card" else "CNY"
        order_id, payment_id = f"O{number}", f"P{number}"
        amount = Decimal(rng.randrange(1, 500000)) / 100
        fee = (amount * Decimal("0.006")).quantize(Decimal("0.01"))
        transaction = f"T{number}" if method in ("wechat", "alipay", "card") else None
        self.rows["orders"].append({
            "order_id": order_id, "learner_id": str(number % 40), "campus_id": "P1", "currency": currency,
            "payable_amount": amount, "placed_at": at(FIRST),
        })  # fmt: skip
        self.rows["payments"].append({
            "payment_id": payment_id, "order_id": order_id, "method": method, "status": "succeeded", "amount": amount,
            "fee_amount": fee, "currency": currency, "channel_transaction_id": transaction, "paid_at": at(day),
        })  # fmt: skip
        if transaction is None:
            return
        channel = "stripe" if method == "card" else method
        self.bill(
            channel, "payment", f"T{number}", None, order_id, day, amount, fee * Decimal("1.00001"), currency
        )
        self.expected[f"payment {payment_id}"] = "matched" if day < AS_OF else "in_transit"
        if number % 6 == 0 and number >= 8:
            back = min(AS_OF, day + timedelta(days=rng.randrange(0, 9)))
            part = (amount * Decimal("0.4")).quantize(Decimal("0.01")) or amount
            self.rows["refunds"].append({
                "refund_id": f"R{number}", "order_id": order_id, "payment_id": payment_id, "amount": part,
                "currency": currency, "is_whole_line": False, "resolution": "paid", "requested_at": at(day),
                "resolved_at": at(back), "channel_refund_id": f"C{number}",
            })  # fmt: skip
            self.bill(channel, "refund", f"T{number}", f"R{number}", order_id, back, -part, None, currency)
            self.expected[f"refund R{number}"] = "matched" if back < AS_OF else "in_transit"

    def bill(
        self, channel: str, kind: str, transaction: str, refund: str | None, order_id: str, day: date,
        amount: Decimal, fee: Decimal | None, currency: str,
    ) -> None:  # fmt: skip
        is_stripe = channel == "stripe"
        self.rows["settlement_bills"].append({
            "bill_row_id": f"{channel}|{transaction}|{refund or ''}", "channel": channel, "bill_on": day,
            "row_kind": kind, "order_id": None if is_stripe else order_id, "channel_transaction_id": transaction,
            # Every other bill tells the channel's number of the refund only.
            "merchant_refund_id": refund if refund and int(refund[1:]) % 4 and not is_stripe else None,
            "channel_refund_id": refund and f"C{refund[1:]}",
            "amount": amount, "fee_amount": fee, "currency": currency, "occurred_at": at(day),
        })  # fmt: skip

    def plant(self, each: int) -> None:
        """Discrepancies of every kind, at most one per order, in rows whose bill is long there."""
        last = AS_OF - timedelta(days=2)
        refunded = {f"T{row['refund_id'][1:]}" for row in self.rows["refunds"]}
        bills = [row for row in self.rows["settlement_bills"] if FIRST < row["bill_on"] <= last]
        payments = [
            row
            for row in bills
            if row["row_kind"] == "payment" and row["channel_transaction_id"] not in refunded
        ]
        refunds = [row for row in bills if row["row_kind"] == "refund"]
        self.rng.shuffle(payments)
        self.rng.shuffle(refunds)
        for plant in (
            self.leave_off_the_bill, self.leave_out_of_the_orders, self.change_a_cent, self.change_currency,
            self.repeat_on_the_bill,
        ):  # fmt: skip
            for bill in [payments.pop() for _ in range(each)] + [refunds.pop()]:
                plant(bill, self.own_key(bill))
        for _ in range(each):
            bill = payments.pop()
            bill["fee_amount"] += Decimal("0.02")
            self.expected[self.own_key(bill)] = "fee_differs"
        for bill in [row for row in self.rows["settlement_bills"] if last < row["bill_on"] < AS_OF]:
            # Not there yet, and no discrepancy yet.
            self.rows["settlement_bills"].remove(bill)
            self.expected[self.own_key(bill)] = "in_transit"

    def leave_off_the_bill(self, bill: dict[str, Any], own: str) -> None:
        self.rows["settlement_bills"].remove(bill)
        self.expected[own] = "missing_in_bill"

    def leave_out_of_the_orders(self, bill: dict[str, Any], own: str) -> None:
        table, key = ("payments", "payment_id") if own.startswith("payment") else ("refunds", "refund_id")
        self.rows[table] = [row for row in self.rows[table] if row[key] != own.split()[1]]
        del self.expected[own]
        self.expected[f"bill {bill['bill_row_id']}"] = "missing_in_orders"

    def change_a_cent(self, bill: dict[str, Any], own: str) -> None:
        bill["amount"] -= Decimal("0.01")
        self.expected[own] = "amount_differs"

    def change_currency(self, bill: dict[str, Any], own: str) -> None:
        bill["currency"] = "EUR"
        self.expected[own] = "amount_differs"

    def repeat_on_the_bill(self, bill: dict[str, Any], own: str) -> None:
        name = f"{bill['bill_row_id']}|again"
        self.rows["settlement_bills"].append({**bill, "bill_row_id": name})
        self.expected[f"bill {name}"] = "missing_in_orders"

    def own_key(self, bill: dict[str, Any]) -> str:
        number = bill["channel_transaction_id"][1:]
        return f"payment P{number}" if bill["row_kind"] == "payment" else f"refund R{number}"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_planted_discrepancy_is_found_and_none_invented(warehouse: Warehouse, seed: int) -> None:
    month = Month(seed)
    month.plant(4)
    assert set(month.expected.values()) == {
        "matched", "in_transit", "missing_in_bill", "missing_in_orders", "amount_differs", "fee_differs",
    }  # fmt: skip
    assert reconciled(warehouse, month.rows) == month.expected
    assert {row["channel"] for row in month.rows["settlement_bills"]} == {"wechat", "alipay", "stripe"}
    with warehouse.connect(Role.ADMIN) as connection:
        ages = connection.execute(
            """
            select age_bucket, min(open_days), max(open_days), bool_and(reconciliation_status = 'matched')
            from core.fct_payment_reconciliation group by age_bucket
            """
        ).fetchall()
    for bucket, youngest, oldest, is_matched in ages:
        low, high = {None: (None, None), "0-2": (0, 2), "3-7": (3, 7), "8-30": (8, 30), "over 30": (31, 99)}[
            bucket
        ]
        assert is_matched == (bucket is None)
        assert (youngest, oldest) == (None, None) if bucket is None else low <= youngest <= oldest <= high
    assert len(ages) == 5


def test_a_channel_without_bills_is_left_out(warehouse: Warehouse) -> None:
    month = Month(3)
    month.rows["settlement_bills"] = [
        row for row in month.rows["settlement_bills"] if row["channel"] == "alipay"
    ]
    found = reconciled(warehouse, month.rows)
    alipay = {f"payment {row['payment_id']}" for row in month.rows["payments"] if row["method"] == "alipay"}
    assert {name for name in found if name.startswith("payment")} == alipay
    assert set(found.values()) == {"matched", "in_transit"}


def test_a_refund_on_the_bill_waits_for_ours_that_is_open(warehouse: Warehouse) -> None:
    month = Month(4)
    open_one, rejected, rejected_tomorrow, withdrawn = [
        row for row in month.rows["refunds"] if row["resolved_at"] < at(AS_OF)
    ][:4]
    open_one["resolution"] = open_one["resolved_at"] = None
    rejected["resolution"], withdrawn["resolution"] = "rejected", "withdrawn"
    rejected_tomorrow.update(resolution="rejected", resolved_at=at(AS_OF + timedelta(days=1)))
    # The same refund twice on the bill: only the first can be the one that is open.
    (bill,) = [
        row
        for row in month.rows["settlement_bills"]
        if row["channel_refund_id"] == open_one["channel_refund_id"]
    ]
    month.repeat_on_the_bill(bill, "")
    for row, status in (
        (open_one, "in_transit"), (rejected, "missing_in_orders"),
        (rejected_tomorrow, "in_transit"), (withdrawn, "missing_in_orders"),
    ):  # fmt: skip
        month.expected[f"refund {row['refund_id']}"] = status
    assert reconciled(warehouse, month.rows) == month.expected
    with warehouse.connect(Role.ADMIN) as connection:
        whose = connection.execute(
            """
            select count(*) from core.fct_payment_reconciliation as found
            inner join core.fct_refund as refunds using (refund_id)
            where found.customer_id = refunds.customer_id and found.campus_id = refunds.campus_id
                and found.amount is null and refunds.resolution is distinct from 'paid'
            """
        ).fetchone()
    assert whose == (4,)


def reconciled(warehouse: Warehouse, rows: Rows) -> dict[str, str]:
    """Own id (or the bill row's, where that is alone) and status of every row."""
    Canonical(warehouse).load(rows)
    with warehouse.connect(Role.TRANSFORMER) as connection:
        resolve(connection, "unit", AS_OF, 0, full=True)
    dbt = Dbt(warehouse)
    variables = {
        "as_of": AS_OF.isoformat(), "build_id": "unit", "build_kind": "full", "purchase_event": "order",
        "target_schema": "core", "canonical_schema": "canonical", "risk_signals": risk_signal_codes(),
    }  # fmt: skip
    outcomes = [
        *dbt.run("seed", ["reconciliation_rules"], variables),
        *dbt.run("run", MODELS, variables),
        *dbt.run("test", ["fct_payment_reconciliation"], variables),
    ]
    assert {each.name: each.message for each in outcomes if not each.is_good} == {}
    with warehouse.connect(Role.ADMIN) as connection:
        found = connection.execute(
            """
            select
                case
                    when refund_id is not null then 'refund ' || refund_id
                    when payment_id is not null then 'payment ' || payment_id
                    else 'bill ' || bill_row_id
                end,
                reconciliation_status
            from core.fct_payment_reconciliation
            """
        ).fetchall()
    assert len(found) == len(dict(found))
    return dict(found)
