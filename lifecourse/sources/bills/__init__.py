"""Bill files of payment channels, read into rows of the canonical table ``settlement_bills``.

A bill is a channel's own book of one day. It carries its totals, so a file that was cut short or edited can
be told from a whole one: rows and totals must agree, else the file is refused whole (`BillRefused`).
"""

from __future__ import annotations

from lifecourse.sources.bills.alipay import parse_alipay_bill
from lifecourse.sources.bills.common import BILL_ZONE, BillRefused, BillRow
from lifecourse.sources.bills.wechat import (
    FundRow,
    parse_wechat_bill,
    parse_wechat_fund_bill,
)

__all__ = [
    "BILL_ZONE",
    "BillRefused",
    "BillRow",
    "FundRow",
    "parse_alipay_bill",
    "parse_wechat_bill",
    "parse_wechat_fund_bill",
]
