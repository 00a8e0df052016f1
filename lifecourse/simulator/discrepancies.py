"""Rows of bills that do not agree with what was paid: what reconciliation is there to find.

They lie in the bills only; the payments stay as they are. Which row is struck, and by how much it differs, depends on
the row, the plan and the seed alone. A row has one discrepancy at most.

======================== ==================================================================================
kind                     what is on the bill
======================== ==================================================================================
``bill_row_missing``     nothing: the row was left off
``bill_row_unknown``     a payment for the same order that our side never heard of, besides the true one
``bill_amount_differs``  another amount, less or more, of a payment or a refund
``bill_fee_differs``     another fee, less or more, of a payment
======================== ==================================================================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from lifecourse.simulator.fault_plan import FaultPlan, Kind

#: Kinds that strike rows, in the order in which they are tried.
ROW_KINDS = (
    Kind.BILL_ROW_MISSING,
    Kind.BILL_ROW_UNKNOWN,
    Kind.BILL_AMOUNT_DIFFERS,
    Kind.BILL_FEE_DIFFERS,
)


@dataclass(frozen=True)
class Entry:
    """One row of a bill: a payment, or a refund with `refund_id`; the amount is never negative here."""

    channel: str
    at: datetime
    created_at: datetime
    order_id: str
    payment_id: str
    transaction_id: str
    refund_id: str | None
    channel_refund_id: str | None
    amount: Decimal
    fee: Decimal
    payer_name: str
    payer_phone: str
    payer_id: str
    product: str

    @property
    def day(self) -> date:
        return self.at.date()

    @property
    def own_id(self) -> str:
        """The key of the row on our side."""
        return self.refund_id or self.payment_id

    def number(self, purpose: str, digits: int = 6) -> int:
        """A number that is always the same for this row and purpose."""
        return number_of(f"{purpose} {self.transaction_id} {self.refund_id}", digits)


@dataclass(frozen=True)
class Discrepancy:
    """A planted discrepancy: its kind, the row as it ought to be, and by how much the bill differs from it.

    Of ``bill_row_unknown`` the row is the one that only the bill has.
    """

    kind: Kind
    entry: Entry
    difference: Decimal = Decimal(0)


def plant(entries: Sequence[Entry], plan: FaultPlan, seed: int) -> tuple[list[Entry], list[Discrepancy]]:
    """The rows as the bill has them, and where they differ from those given."""
    on_bill: list[Entry] = []
    found: list[Discrepancy] = []
    for entry in entries:
        kind = _kind_for(entry, plan, seed)
        # A bill has at least one row; without any, the day would be one without trade.
        if kind is Kind.BILL_ROW_MISSING and entry is entries[-1] and not on_bill:
            kind = None
        rows, discrepancy = _strike(entry, kind, plan, seed)
        on_bill += rows
        if discrepancy is not None:
            found.append(discrepancy)
    return on_bill, found


def _kind_for(entry: Entry, plan: FaultPlan, seed: int) -> Kind | None:
    for kind in ROW_KINDS:
        # A refund has no fee of its own on our side, and is not paid back twice.
        if entry.refund_id and kind in (Kind.BILL_FEE_DIFFERS, Kind.BILL_ROW_UNKNOWN):
            continue
        if entry.number(f"{kind} {seed}") < plan.rate(kind) * 1_000_000:
            return kind
    return None


def _strike(
    entry: Entry, kind: Kind | None, plan: FaultPlan, seed: int
) -> tuple[list[Entry], Discrepancy | None]:
    if kind is None:
        return [entry], None
    if kind is Kind.BILL_ROW_MISSING:
        return [], Discrepancy(kind, entry)
    if kind is Kind.BILL_ROW_UNKNOWN:
        unknown = replace(entry, transaction_id=_other_number(entry))
        return [entry, unknown], Discrepancy(kind, unknown)
    amounts = plan.bill_differences
    choices = amounts.amounts if kind is Kind.BILL_AMOUNT_DIFFERS else amounts.fees
    difference = choices[entry.number(f"how much {seed}") % len(choices)]
    is_amount = kind is Kind.BILL_AMOUNT_DIFFERS
    value = entry.amount if is_amount else entry.fee
    # Less where that leaves something, by turns.
    if value > difference and entry.number(f"less {seed}") % 2:
        difference = -difference
    changed = (
        replace(entry, amount=value + difference) if is_amount else replace(entry, fee=value + difference)
    )
    return [changed], Discrepancy(kind, entry, difference)


def _other_number(entry: Entry) -> str:
    """A transaction number of the same form and length that no payment has: the channel's running part differs."""
    tail = f"{entry.number('unknown', 9):09d}"
    return f"{entry.transaction_id[: -len(tail) - 1]}9{tail}"


def number_of(text: str, digits: int = 6) -> int:
    """A number below ``10 ** digits`` that is always the same for the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 10**digits
