"""What the bill parsers share: the row they make, the error they raise, amounts and times as printed."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from lifecourse.errors import LifecourseError

#: WeChat Pay and Alipay print Beijing time without an offset, whatever the merchant's zone.
BILL_ZONE = ZoneInfo("Asia/Shanghai")

_CENT = Decimal("0.01")
_FEE = Decimal("0.00001")
# The colon may be full-width, and some old bills leave out the blank between day and time.
_TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})\s*(\d{2})[:：](\d{2})[:：](\d{2})")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?|[+-]?\.\d+")


class BillRefused(LifecourseError):
    """A bill file that cannot be trusted, refused whole. Never quotes a value of a row."""


@dataclass(frozen=True)
class BillRow:
    """One row of ``settlement_bills``, columns as in the contract; refunds have negative amounts.

    `payer_account` is the plain value as printed: personal, for the vault only.
    """

    bill_row_id: str
    channel: str
    bill_on: date
    row_kind: str
    order_id: str | None
    channel_transaction_id: str
    channel_refund_id: str | None
    merchant_refund_id: str | None
    amount: Decimal
    fee_amount: Decimal | None
    currency: str
    status: str | None
    payer_account: str | None
    occurred_at: datetime
    bill_file: str
    bill_row_number: int


@dataclass(frozen=True)
class Line:
    """One printed row by column name, with where it stands for messages."""

    file: str
    number: int
    values: dict[str, str]

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.number}"

    def text(self, *names: str) -> str | None:
        """The first of these columns that the layout has; None if it is empty there."""
        for name in names:
            if name in self.values:
                return self.values[name].strip() or None
        return None

    def needed(self, *names: str) -> str:
        """As `text`, but a bill without the value is refused."""
        value = self.text(*names)
        if value is None:
            raise BillRefused(f"no value in column {names[0]}", self.where, DOWNLOAD_AGAIN)
        return value

    def amount(self, *names: str) -> Decimal | None:
        """An amount in yuan, exact to the cent; None where the layout has none of the columns."""
        return self._number(names, _CENT, "an amount to the cent")

    def fee(self, *names: str) -> Decimal | None:
        """A fee, which the channels print with up to five decimals."""
        return self._number(names, _FEE, "a fee with at most five decimals")

    def instant(self, *names: str) -> datetime:
        """A time as printed, in the channels' zone."""
        match = _TIME.fullmatch(self.needed(*names))
        try:
            if match is None:
                raise ValueError
            year, month, day, hour, minute, second = (int(part) for part in match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=BILL_ZONE)
        except ValueError:
            raise BillRefused(
                f"column {names[0]} holds no time of the form 2026-03-01 09:30:00",
                self.where,
                DOWNLOAD_AGAIN,
            ) from None

    def _number(self, names: tuple[str, ...], unit: Decimal, expected: str) -> Decimal | None:
        text = self.text(*names)
        if text is None:
            return None if not any(name in self.values for name in names) else Decimal(0).quantize(unit)
        value = decimal_of(text)
        try:
            rounded = value.quantize(unit) if value is not None else None
        except InvalidOperation:
            rounded = None
        if value is None or rounded != value:
            raise BillRefused(
                f"column {names[0]} does not hold {expected}",
                self.where,
                DOWNLOAD_AGAIN,
            )
        return rounded


#: What to do about nearly every refused bill.
DOWNLOAD_AGAIN = "download the bill again; if it stays so, ask the channel"


def decimal_of(text: str) -> Decimal | None:
    """The exact number in a printed amount, or None if there is none."""
    text = text.strip()
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def decoded(data: bytes, file: str) -> str:
    """Text of a bill: UTF-8 with or without BOM, else GBK (as its superset GB 18030); gzip is unpacked.

    A bill that is neither is refused.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            raise BillRefused("the gzip file is cut short or damaged", file, DOWNLOAD_AGAIN) from None
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BillRefused("neither UTF-8 nor GBK text", file, DOWNLOAD_AGAIN)


def printed_lines(text: str) -> list[tuple[int, str]]:
    """The lines that hold something, with their numbers from 1."""
    # Not splitlines(): a value may hold a character such as U+2028 that it takes for the end of a line.
    lines = ((number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1))
    return [(number, line) for number, line in lines if line.strip()]


def is_time(text: str) -> bool:
    """Whether the text is a time as printed on bills."""
    return _TIME.fullmatch(text.strip()) is not None


def check_total(what: str, printed: Decimal | int, found: Decimal | int, file: str) -> None:
    """Refuses the bill when a printed total is not the sum of its rows."""
    if printed != found:
        raise BillRefused(
            f"the rows do not add up to the bill's own totals: {what} should be {printed} and is {found}",
            file,
            DOWNLOAD_AGAIN,
        )


def row_id(channel: str, transaction: str, refund: str | None) -> str:
    """The key of a bill row: channel, transaction and refund number (empty for a payment)."""
    return "|".join((channel, transaction, refund or ""))
