"""WeChat Pay bills: the trade bill in its variants and layouts, and the fund bill.

Columns are found by header name, since their order and number differ: ALL has 27; SUCCESS drops the refund
columns; REFUND adds ``退款申请时间, 退款成功时间``; layouts from before 2018 have ``总金额`` instead of the
settled and voucher columns. Values begin with a backtick, and a value may hold a comma. The last two lines are
the totals.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from lifecourse.sources.bills.common import (
    DOWNLOAD_AGAIN,
    BillRefused,
    BillRow,
    Line,
    check_total,
    decimal_of,
    decoded,
    printed_lines,
    row_id,
)

CHANNEL = "wechat"

# Printed total -> the columns it sums, the first that the layout has.
_TRADE_TOTALS: dict[str, tuple[str, ...]] = {
    "应结订单总金额": ("应结订单金额",),
    "订单总金额": ("订单金额",),
    "总交易额": ("总金额", "订单金额"),
    "退款总金额": ("退款金额",),
    "总退款金额": ("退款金额",),
    "申请退款总金额": ("申请退款金额",),
    "充值券退款总金额": ("充值券退款金额",),
    "总企业红包退款金额": ("企业红包退款金额",),
    "总代金券或立减优惠退款金额": ("代金券或立减优惠退款金额",),
    "手续费总金额": ("手续费",),
    "总手续费金额": ("手续费",),
}
_TRADE_COUNT = "总交易单数"
# At least one of these must be printed, or the amounts would go unchecked.
_TRADE_AMOUNT_TOTALS = ("订单总金额", "应结订单总金额", "总交易额")
# What the payer was asked for and what was asked back; before 2018 there was only one amount of each.
_ORDER_AMOUNT = ("订单金额", "总金额", "应结订单金额")
_REFUND_AMOUNT = ("申请退款金额", "退款金额")

_PAYMENT, _REFUND, _REVOKED = "SUCCESS", "REFUND", "REVOKED"


def parse_wechat_bill(data: bytes, file: str) -> list[BillRow]:
    """Rows of a trade bill (ALL, SUCCESS or REFUND), in the order printed.

    `data` is the file as downloaded (UTF-8 or GBK, BOM or gzip allowed), `file` its name for `bill_file` and for
    messages. A payment is dated when paid, a refund when WeChat accepted it. Amounts are what the payer was asked
    for (``订单金额``) and what was asked back (``申请退款金额``), before vouchers.

    Raises `BillRefused` when the file is no such bill, a value is not readable, or rows and totals differ.
    """
    lines, totals = _sections(
        decoded(data, file),
        file,
        must_have=("微信订单号", "商户订单号", "交易状态", "交易时间"),
    )
    if _TRADE_COUNT not in totals or not any(name in totals for name in _TRADE_AMOUNT_TOTALS):
        raise BillRefused(
            f"the totals lack {_TRADE_COUNT} or the sum of the orders, so the bill cannot be checked",
            file,
            DOWNLOAD_AGAIN,
        )
    check_total(_TRADE_COUNT, _total(totals, _TRADE_COUNT, file), len(lines), file)
    for name, columns in _TRADE_TOTALS.items():
        if name in totals:
            found = sum((line.fee(*columns) or Decimal(0) for line in lines), Decimal(0))
            check_total(name, _total(totals, name, file), found, file)
    return [_trade_row(line, number) for number, line in enumerate(lines, start=1)]


def _trade_row(line: Line, number: int) -> BillRow:
    state = line.needed("交易状态")
    if state not in (_PAYMENT, _REFUND, _REVOKED):
        raise BillRefused(
            f"column 交易状态 is none of {_PAYMENT}, {_REFUND}, {_REVOKED}",
            line.where,
            "report the new status",
        )
    transaction = line.needed("微信订单号")
    order_amount = line.amount(*_ORDER_AMOUNT)
    refund_amount = line.amount(*_REFUND_AMOUNT)
    # A payment row prints 0 where a refund row has the refund's number.
    refund, merchant_refund = (_number(line.text(name)) for name in ("微信退款单号", "商户退款单号"))
    if state == _PAYMENT:
        amount, occurred_at, refund, merchant_refund = (
            order_amount,
            line.instant("交易时间"),
            None,
            None,
        )
        key, status = row_id(CHANNEL, transaction, None), state
    else:
        if state == _REVOKED and not refund_amount:
            # A revoked payment is taken back whole and may have no refund of its own.
            refund_amount = order_amount
        amount = -refund_amount if refund_amount is not None else None
        occurred_at = line.instant("退款申请时间", "交易时间")
        key = row_id(CHANNEL, transaction, refund or merchant_refund or state)
        status = line.text("退款状态") or state
    if amount is None:
        raise BillRefused(
            "the layout has no column with the amount",
            line.where,
            "report the new layout",
        )
    return BillRow(
        bill_row_id=key,
        channel=CHANNEL,
        bill_on=occurred_at.date(),
        row_kind="payment" if state == _PAYMENT else "refund",
        order_id=line.text("商户订单号"),
        channel_transaction_id=transaction,
        channel_refund_id=refund,
        merchant_refund_id=merchant_refund,
        amount=amount,
        fee_amount=line.fee("手续费"),
        currency=line.text("货币种类") or "CNY",
        status=status,
        payer_account=line.text("用户标识"),
        occurred_at=occurred_at,
        bill_file=line.file,
        bill_row_number=number,
    )


@dataclass(frozen=True)
class FundRow:
    """One row of a fund bill: money in or out of the merchant's balance, in yuan; `income` or `expense`."""

    booked_at: datetime
    wechat_transaction_id: str
    fund_flow_id: str
    business_name: str | None
    business_kind: str | None
    direction: str
    amount: Decimal
    balance: Decimal | None
    submitted_by: str | None
    note: str | None
    voucher_id: str | None
    bill_file: str
    bill_row_number: int


_DIRECTIONS = {"收入": "income", "支出": "expense"}


def parse_wechat_fund_bill(data: bytes, file: str) -> list[FundRow]:
    """Rows of a fund bill, in the order printed; counts and sums of both directions must agree.

    Raises `BillRefused` as `parse_wechat_bill` does.
    """
    lines, totals = _sections(decoded(data, file), file, must_have=("记账时间", "资金流水单号", "收支类型"))
    rows = [_fund_row(line, number) for number, line in enumerate(lines, start=1)]
    check_total("资金流水总笔数", _total(totals, "资金流水总笔数", file), len(rows), file)
    for printed, direction in _DIRECTIONS.items():
        amounts = [row.amount for row in rows if row.direction == direction]
        check_total(f"{printed}笔数", _total(totals, f"{printed}笔数", file), len(amounts), file)
        check_total(
            f"{printed}金额",
            _total(totals, f"{printed}金额", file),
            sum(amounts, Decimal(0)),
            file,
        )
    return rows


def _fund_row(line: Line, number: int) -> FundRow:
    amount, direction = (
        line.amount("收支金额(元)"),
        _DIRECTIONS.get(line.needed("收支类型")),
    )
    if amount is None or direction is None:
        raise BillRefused(
            "a row without an amount, or neither 收入 nor 支出",
            line.where,
            DOWNLOAD_AGAIN,
        )
    return FundRow(
        booked_at=line.instant("记账时间"),
        wechat_transaction_id=line.needed("微信支付业务单号"),
        fund_flow_id=line.needed("资金流水单号"),
        business_name=line.text("业务名称"),
        business_kind=line.text("业务类型"),
        direction=direction,
        amount=amount,
        balance=line.amount("账户结余(元)"),
        submitted_by=line.text("资金变更提交申请人"),
        note=line.text("备注"),
        voucher_id=line.text("业务凭证号"),
        bill_file=line.file,
        bill_row_number=number,
    )


def _sections(text: str, file: str, must_have: tuple[str, ...]) -> tuple[list[Line], dict[str, str]]:
    """The printed rows and the totals by name. The header and the totals' header have no backticks."""
    numbered = printed_lines(text)
    if len(numbered) < 3:
        raise BillRefused(
            "no bill: a header, rows and two lines of totals were expected",
            file,
            DOWNLOAD_AGAIN,
        )
    header = _names(numbered[0][1])
    missing = [name for name in must_have if name not in header]
    if missing:
        raise BillRefused(
            f"no such WeChat Pay bill: the first line lacks {', '.join(missing)}",
            file,
            "check the kind of file",
        )
    totals_header = _names(numbered[-2][1])
    if not any(name.startswith(("总交易", "资金流水总")) for name in totals_header):
        raise BillRefused(
            "the last two lines are no totals: the file is cut short",
            file,
            DOWNLOAD_AGAIN,
        )
    totals = _values(numbered[-1][1], len(totals_header), f"{file}, line {numbered[-1][0]}")
    lines = [
        Line(
            file,
            number,
            dict(
                zip(
                    header,
                    _values(line, len(header), f"{file}, line {number}"),
                    strict=True,
                )
            ),
        )
        for number, line in numbered[1:-2]
    ]
    return lines, dict(zip(totals_header, totals, strict=True))


def _names(line: str) -> list[str]:
    return [
        name.strip().strip("`")
        for name in line.replace("，", ",").replace("（", "(").replace("）", ")").split(",")
    ]


def _values(line: str, count: int, where: str) -> list[str]:
    # A product's name may hold a comma, so what parts two values is a comma and a backtick.
    values = line[1:].split(",`") if line.startswith("`") else line.split(",")
    if len(values) != count:
        raise BillRefused(f"expected {count} values and found {len(values)}", where, DOWNLOAD_AGAIN)
    return [value.strip() for value in values]


def _total(totals: dict[str, str], name: str, file: str) -> Decimal:
    value = decimal_of(totals.get(name, ""))
    if value is None:
        raise BillRefused(f"the totals hold no number for {name}", file, DOWNLOAD_AGAIN)
    return value


def _number(printed: str | None) -> str | None:
    return None if printed in (None, "0") else printed
