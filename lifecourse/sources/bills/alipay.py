"""Alipay merchant bills: a zip of GBK files whose member names are GBK too, or the detail file alone.

The detail file (``业务明细``) has lines with ``#`` before and after the table: the account and the period before,
counts and sums after. Many values end in a tab. The other member (``汇总``) sums up per shop, and is checked as
well where it is there.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from lifecourse.sources.bills.common import (
    DOWNLOAD_AGAIN,
    BillRefused,
    BillRow,
    Line,
    check_total,
    decimal_of,
    decoded,
    is_time,
    printed_lines,
    row_id,
)

CHANNEL = "alipay"
_PAYMENT, _REFUND = "交易", "退款"
_SUMMARY = "汇总"
_MUST_HAVE = (
    "支付宝交易号",
    "商户订单号",
    "业务类型",
    "完成时间",
    "订单金额(元)",
    "商家实收(元)",
    "商家优惠(元)",
)
_PERIOD = re.compile(
    r"起始日期[:：]\s*\[(\d{4})年(\d{2})月(\d{2})日.*终止日期[:：]\s*\[(\d{4})年(\d{2})月(\d{2})日"
)
_FOOTER = re.compile(
    r"#(交易|退款)合计[:：](\d+)笔[,，]商家实收(?:退款)?共([-+\d.]+)元[,，]商家优惠(?:退款)?共([-+\d.]+)元"
)


def parse_alipay_bill(data: bytes, file: str) -> list[BillRow]:
    """Rows of a bill, in the order printed; a zip's members follow one another.

    `data` is the file as downloaded: the zip, or its detail member in GBK or UTF-8. A row is dated when it was
    completed; refunds are printed negative and stay so. Alipay gives a refund no number of its own: the merchant's
    request number is its only one. The amount is that of the order (``订单金额``), in yuan.

    Raises `BillRefused` when the file is no such bill, a value is not readable, or rows and totals differ.
    """
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return _rows(_table(decoded(data, file), file), file, first=1)
    details, summaries = _members(data, file)
    tables = [_table(decoded(content, file), f"{file}/{name}") for name, content in details]
    for name, content in summaries:
        _check_summary(decoded(content, file), tables, f"{file}/{name}")
    rows: list[BillRow] = []
    for table in tables:
        rows += _rows(table, file, first=len(rows) + 1)
    return rows


@dataclass(frozen=True)
class _Table:
    lines: list[Line]
    bill_on: date | None


def _members(data: bytes, file: str) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    try:
        # Names carry no UTF-8 flag; without the hint they would be read as code page 437.
        with zipfile.ZipFile(io.BytesIO(data), metadata_encoding="gbk") as archive:
            files = [info for info in archive.infolist() if info.filename.lower().endswith((".csv", ".txt"))]
            members = [(info.filename, archive.read(info)) for info in files]
    except (
        zipfile.BadZipFile,
        zlib.error,
        UnicodeDecodeError,
        OSError,
        EOFError,
        RuntimeError,
    ):
        raise BillRefused("the zip file is damaged", file, DOWNLOAD_AGAIN) from None
    details = [(name, content) for name, content in members if _SUMMARY not in name]
    if not details:
        raise BillRefused(
            "the zip file has no member with the details (业务明细)",
            file,
            "check the kind of file",
        )
    return details, [(name, content) for name, content in members if _SUMMARY in name]


def _table(text: str, file: str) -> _Table:
    """The lines of the table, checked against the footer."""
    body = [(number, line) for number, line in printed_lines(text) if not line.startswith("#")]
    if not body:
        raise BillRefused("no Alipay bill: it has no header", file, "check the kind of file")
    header = _names(body[0][1])
    missing = [name for name in _MUST_HAVE if name not in header]
    if missing:
        raise BillRefused(
            f"no Alipay trade bill: the header lacks {', '.join(missing)}",
            file,
            "check the kind of file",
        )
    lines = [
        Line(
            file,
            number,
            dict(zip(header, _values(line, header, file, number), strict=True)),
        )
        for number, line in body[1:]
    ]
    _check_footer(text, lines, file)
    period = _PERIOD.search(text)
    bill_on = None
    if period:
        first, last = (date(*(int(part) for part in period.groups()[at : at + 3])) for at in (0, 3))
        # Over more than a day (a month's bill) every row has its own day.
        bill_on = first if last - first <= timedelta(days=1) else None
    return _Table(lines, bill_on)


def _check_footer(text: str, lines: list[Line], file: str) -> None:
    footer = {match[1]: match for match in _FOOTER.finditer(text)}
    if set(footer) != {_PAYMENT, _REFUND}:
        raise BillRefused(
            "the footer with counts and sums is missing: the file is cut short",
            file,
            DOWNLOAD_AGAIN,
        )
    for kind, match in footer.items():
        of_kind = [line for line in lines if line.text("业务类型") == kind]
        check_total(f"{kind}合计 (rows)", int(match[2]), len(of_kind), file)
        for column, printed in (("商家实收(元)", match[3]), ("商家优惠(元)", match[4])):
            found = sum((line.amount(column) or Decimal(0) for line in of_kind), Decimal(0))
            check_total(f"{kind}合计 {column}", _exact(printed, file), found, file)


def _check_summary(text: str, tables: list[_Table], file: str) -> None:
    """The line 合计 of the summary member must agree with the details."""
    table = [line for _, line in printed_lines(text) if not line.startswith("#")]
    last = [part.strip() for part in table[-1].split(",")] if table else []
    if not last or last[0] != "合计":
        raise BillRefused("the summary has no line 合计: it is cut short", file, DOWNLOAD_AGAIN)
    printed = dict(zip(_names(table[0]), last, strict=False))
    lines = [line for table in tables for line in table.lines]
    for kind, name in ((_PAYMENT, "交易订单总笔数"), (_REFUND, "退款订单总笔数")):
        if name in printed:
            found = sum(1 for line in lines if line.text("业务类型") == kind)
            check_total(name, _exact(printed[name], file), found, file)
    for name in ("订单金额(元)", "商家实收(元)", "服务费(元)"):
        if name in printed:
            total = sum((line.fee(name) or Decimal(0) for line in lines), Decimal(0))
            check_total(name, _exact(printed[name], file), total, file)


def _rows(table: _Table, file: str, first: int) -> list[BillRow]:
    return [_row(line, table.bill_on, file, number) for number, line in enumerate(table.lines, start=first)]


def _row(line: Line, bill_on: date | None, file: str, number: int) -> BillRow:
    kind = line.needed("业务类型")
    if kind not in (_PAYMENT, _REFUND):
        raise BillRefused(
            f"column 业务类型 is neither {_PAYMENT} nor {_REFUND}",
            line.where,
            "report the new kind",
        )
    amount = line.amount("订单金额(元)")
    if amount is None or (kind == _REFUND and amount > 0):
        raise BillRefused("a refund is printed with a positive amount", line.where, DOWNLOAD_AGAIN)
    transaction = line.needed("支付宝交易号")
    refund = line.needed("退款批次号/请求号") if kind == _REFUND else None
    occurred_at = line.instant("完成时间")
    return BillRow(
        bill_row_id=row_id(CHANNEL, transaction, refund),
        channel=CHANNEL,
        bill_on=bill_on or occurred_at.date(),
        row_kind="payment" if kind == _PAYMENT else "refund",
        order_id=line.text("商户订单号"),
        channel_transaction_id=transaction,
        channel_refund_id=None,
        merchant_refund_id=refund,
        amount=amount,
        fee_amount=line.fee("服务费(元)"),
        currency="CNY",
        status=kind,
        payer_account=line.text("对方账户"),
        occurred_at=occurred_at,
        bill_file=file,
        bill_row_number=number,
    )


def _names(line: str) -> list[str]:
    return [name.strip() for name in line.replace("（", "(").replace("）", ")").split(",")]


def _values(line: str, header: list[str], file: str, number: int) -> list[str]:
    values = [value.strip() for value in next(csv.reader([line]))]
    surplus = len(values) - len(header)
    if surplus > 0 and "商品名称" in header:
        # Nothing is quoted: a comma in free text parts it. Where the times stand at their place, the remark at
        # the end has the comma, else the product's name before them.
        first_time = min(header.index(name) for name in ("创建时间", "完成时间") if name in header)
        at = len(header) - 1 if is_time(values[first_time]) else header.index("商品名称")
        values[at : at + surplus + 1] = [",".join(values[at : at + surplus + 1])]
    if len(values) != len(header):
        raise BillRefused(
            f"expected {len(header)} values and found {len(values)}",
            f"{file}, line {number}",
            DOWNLOAD_AGAIN,
        )
    return values


def _exact(printed: str, file: str) -> Decimal:
    value = decimal_of(printed)
    if value is None:
        raise BillRefused("the totals hold something that is no number", file, DOWNLOAD_AGAIN)
    return value
