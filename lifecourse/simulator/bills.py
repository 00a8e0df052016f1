"""Daily bills of WeChat Pay and Alipay, in their true formats, from what ``sim_payments`` holds.

A bill lists a day's succeeded payments by when they were paid, and the refunds paid back by when the channel took
them on, both in Beijing time. It is there the next morning after ten, and is never written again: what a refund's
row says of its status is a snapshot. A day without trade has no bill. The same day's rows give the same bytes.

Where a plan of faults says so, bills do not agree with the payments (`discrepancies`), come a day late or come twice.

========= ==================================== =====================================================
channel   file                                 form
========= ==================================== =====================================================
WeChat    ``wechat_<merchant>_<day>_ALL.csv``  UTF-8 with BOM, 27 columns, backticks, two totals lines
Alipay    ``alipay_<account>_<day>.zip``       GBK members with GBK names: details and summary
========= ==================================== =====================================================
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from lifecourse.simulator import discrepancies
from lifecourse.simulator.discrepancies import Discrepancy, Entry, number_of
from lifecourse.simulator.fault_plan import FaultPlan, Kind

BEIJING = ZoneInfo("Asia/Shanghai")
#: Hour of the next morning from which a day's bill can be downloaded.
READY_HOUR = 10

WECHAT_MERCHANT, WECHAT_APP = "1612345678", "wx0123456789abcdef"
ALIPAY_ACCOUNT = "2088000012345678"

WECHAT_COLUMNS = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型",
    "交易状态", "付款银行", "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额",
    "充值券退款金额", "退款类型", "退款状态", "商品名称", "商户数据包", "手续费", "费率", "订单金额", "申请退款金额",
    "费率备注",
)  # fmt: skip
WECHAT_TOTALS = (
    "总交易单数",
    "应结订单总金额",
    "退款总金额",
    "充值券退款总金额",
    "手续费总金额",
    "订单总金额",
    "申请退款总金额",
)
ALIPAY_COLUMNS = (
    "支付宝交易号", "商户订单号", "业务类型", "商品名称", "创建时间", "完成时间", "门店编号", "门店名称", "操作员",
    "终端号", "对方账户", "订单金额（元）", "商家实收（元）", "支付宝红包（元）", "集分宝（元）", "支付宝优惠（元）",
    "商家优惠（元）", "券核销金额（元）", "券名称", "商家红包消费金额（元）", "卡消费金额（元）", "退款批次号/请求号",
    "服务费（元）", "分润（元）", "备注",
)  # fmt: skip
#: Columns of the Alipay detail whose values end in a tab, so that spreadsheets keep long numbers.
_TABBED = {0, 1, 2, 6, 7, 8, 9, 10, 19, 21}
ALIPAY_SUMMARY_COLUMNS = (
    "门店编号", "门店名称", "交易订单总笔数", "退款订单总笔数", "订单金额（元）", "商家实收（元）", "支付宝优惠（元）",
    "商家优惠（元）", "卡消费金额（元）", "服务费（元）", "分润（元）", "实收净额（元）",
)  # fmt: skip

_CENT = Decimal("0.01")
_RATE = Decimal("0.006")
_BANKS = ("OTHERS", "ICBC_DEBIT", "CCB_DEBIT", "CMB_CREDIT", "ABC_DEBIT")
_TRADE_KINDS = ("JSAPI", "JSAPI", "NATIVE", "APP")


@dataclass(frozen=True)
class Bill:
    """A bill file as written. `copy_of` names the file whose rows it repeats (fault ``same_bill_twice``);
    `discrepancies` are where it differs from what was paid. One that `is_late` is not written, but due."""

    path: Path
    channel: str
    bill_on: date
    rows: int
    copy_of: Path | None = None
    discrepancies: tuple[Discrepancy, ...] = ()
    is_late: bool = False


def ready_at(day: date) -> datetime:
    """When the day's bills can be downloaded."""
    return datetime.combine(day + timedelta(days=1), time(READY_HOUR), BEIJING)


def last_ready_day(now: datetime) -> date:
    """The last day whose bills are there at that instant."""
    today = now.astimezone(BEIJING).date()
    yesterday = today - timedelta(days=1)
    return yesterday if now >= ready_at(yesterday) else yesterday - timedelta(days=1)


def write_bills(
    connection: psycopg.Connection[Any],
    directory: Path,
    first: date,
    last: date,
    now: datetime | None = None,
    plan: FaultPlan | None = None,
    seed: int = 0,
) -> list[Bill]:
    """Writes the bills of the days from `first` to `last` that are ready at `now` and not written yet.

    `connection` is one to ``sim_payments``; `now` is the institution's time (None: everything is ready).
    `plan` says the share of bills that come a second time, by turns under another name with the same bytes
    and downloaded again (an Alipay bill then has another export time); the share of those that come a day late, so
    that one of the last ready day is not there yet; and the shares of rows that do not agree with the payments.
    Gives what was written, copies included, and what is late.
    """
    directory.mkdir(parents=True, exist_ok=True)
    plan = plan or FaultPlan()
    if now is not None:
        last = min(last, last_ready_day(now))
    made: list[Bill] = []
    for (day, channel), group in itertools.groupby(
        _entries(connection, first, last), lambda e: (e.day, e.channel)
    ):
        make, path = (
            (_wechat, directory / f"wechat_{WECHAT_MERCHANT}_{day:%Y%m%d}_ALL.csv")
            if channel == "wechat"
            else (_alipay, directory / f"alipay_{ALIPAY_ACCOUNT}_{day:%Y%m%d}.zip")
        )
        if path.exists():
            continue
        if day == last and _struck(plan, Kind.BILL_A_DAY_LATE, f"late {seed} {path.name}"):
            made.append(Bill(path, channel, day, 0, is_late=True))
            continue
        entries, found = discrepancies.plant(list(group), plan, seed)
        _write(path, make(entries, day, ready_at(day) + timedelta(minutes=5)))
        made.append(Bill(path, channel, day, len(entries), discrepancies=tuple(found)))
        if _struck(plan, Kind.SAME_BILL_TWICE, f"twice {seed} {path.name}"):
            again = number_of(f"again {seed} {path.name}") % 2 == 1
            copy = path.with_name(f"{path.stem}{'(1)' if again else '_copy'}{path.suffix}")
            downloaded_at = ready_at(day) + timedelta(hours=4 if again else 0, minutes=5)
            _write(copy, make(entries, day, downloaded_at))
            made.append(Bill(copy, channel, day, len(entries), copy_of=path))
    return made


def _struck(plan: FaultPlan, kind: Kind, lot: str) -> bool:
    return number_of(lot) < plan.rate(kind) * 1_000_000


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: who lists the directory meanwhile sees no half of a bill."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _entries(connection: psycopg.Connection[Any], first: date, last: date) -> Iterator[Entry]:
    """Rows of all bills of those days by day, channel and time."""
    with connection.transaction(), connection.cursor(name="bill_rows") as cursor:
        cursor.itersize = 10_000
        cursor.execute(
            """
            with lines as (
                select order_id, min(product_line) as product_line from order_lines group by order_id
            ),
            entries as (
                select
                    payments.method, payments.paid_at as at, payments.paid_at as created_at, payments.order_id,
                    payments.payment_id, payments.channel_transaction_id, null as refund_id,
                    null as channel_refund_id, payments.amount, payments.fee_amount as fee
                from payments
                where payments.status = 'succeeded' and payments.amount > 0
                union all
                -- The channel pays back no more than was paid, whatever the institution has recorded.
                select
                    payments.method, refunds.resolved_at, payments.paid_at, payments.order_id,
                    payments.payment_id, payments.channel_transaction_id, refunds.refund_id,
                    refunds.channel_refund_id, least(refunds.amount, payments.amount), null
                from refunds
                inner join payments on refunds.payment_id = payments.payment_id
                where refunds.resolution = 'paid' and payments.status = 'succeeded' and refunds.amount > 0
            )
            select
                entries.method, entries.at, entries.created_at, entries.order_id, entries.payment_id,
                entries.channel_transaction_id, entries.refund_id, entries.channel_refund_id, entries.amount,
                entries.fee, orders.payer_name, orders.payer_phone, orders.payer_wechat_unionid, lines.product_line
            from entries
            left join orders on entries.order_id = orders.order_id
            left join lines on entries.order_id = lines.order_id
            where entries.method in ('wechat', 'alipay') and entries.at >= %s and entries.at < %s
            order by
                (entries.at at time zone 'Asia/Shanghai')::date, entries.method, entries.at, entries.payment_id,
                entries.refund_id nulls first
            """,
            (_midnight(first), _midnight(last + timedelta(days=1))),
        )
        for row in cursor:
            yield _entry(*row)


def _entry(
    channel: str, at: datetime, created_at: datetime, order_id: str, payment_id: str, transaction_id: str | None,
    refund_id: str | None, channel_refund_id: str | None, amount: Decimal, fee: Decimal | None,
    name: str | None, phone: str | None, unionid: str | None, product_line: str | None,
) -> Entry:  # fmt: skip
    at, created_at = at.astimezone(BEIJING), created_at.astimezone(BEIJING)
    if transaction_id is None:
        head = "4200" if channel == "wechat" else f"{created_at:%Y%m%d}2200"
        transaction_id = f"{head}{number_of(payment_id, 16):016d}"
    if refund_id is not None and channel == "wechat" and channel_refund_id is None:
        channel_refund_id = f"503{at:%Y%m%d}{number_of(refund_id, 17):017d}"
    if fee is None:
        fee = (amount * _RATE).quantize(_CENT, ROUND_HALF_UP)
    product = f"{product_line or ''}课程费"
    return Entry(
        channel, at, created_at, order_id, payment_id, transaction_id, refund_id, channel_refund_id, amount, fee,
        name or "", phone or "", unionid or phone or order_id, product,
    )  # fmt: skip


def _wechat(entries: list[Entry], day: date, downloaded_at: datetime) -> bytes:
    rows = [_wechat_row(entry) for entry in entries]
    paid = sum((e.amount for e in entries if e.refund_id is None), Decimal(0))
    back = sum((e.amount for e in entries if e.refund_id is not None), Decimal(0))
    fees = sum((e.fee if e.refund_id is None else -e.fee for e in entries), Decimal(0))
    totals = (str(len(rows)), _yuan(paid), _yuan(back), "0.00", _fee(fees), _yuan(paid), _yuan(back))
    lines = [",".join(WECHAT_COLUMNS), *map(_ticked, rows), ",".join(WECHAT_TOTALS), _ticked(totals)]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig")


def _wechat_row(entry: Entry) -> tuple[str, ...]:
    is_refund = entry.refund_id is not None
    paid, back = ("0.00", _yuan(entry.amount)) if is_refund else (_yuan(entry.amount), "0.00")
    # One in ten refunds is still on its way when the bill is made, and the bill is not made again.
    status = ("PROCESSING" if entry.number("status") % 10 == 0 else "SUCCESS") if is_refund else ""
    # Shops write what they like: a comma must part nothing.
    product = f"{entry.product},续费" if number_of(f"product {entry.order_id}") % 20 == 0 else entry.product
    return (
        _time(entry.at), WECHAT_APP, WECHAT_MERCHANT, "0", "", entry.transaction_id, entry.order_id,
        f"o{hashlib.sha256(entry.payer_id.encode()).hexdigest()[:27]}",
        _TRADE_KINDS[number_of(entry.transaction_id) % len(_TRADE_KINDS)],
        "REFUND" if is_refund else "SUCCESS",
        _BANKS[number_of(entry.payer_id) % len(_BANKS)], "CNY", paid, "0.00",
        (entry.channel_refund_id or "0") if is_refund else "0", entry.refund_id or "0", back, "0.00",
        "ORIGINAL" if is_refund else "", status, product, "",
        _fee(-entry.fee if is_refund else entry.fee), f"{_RATE * 100:.2f}%", paid, back, "",
    )  # fmt: skip


def _alipay(entries: list[Entry], day: date, downloaded_at: datetime) -> bytes:
    period = f"起始日期：[{day:%Y年%m月%d日} 00:00:00]   终止日期：[{day + timedelta(days=1):%Y年%m月%d日} 00:00:00]"
    exported = f"#导出时间：[{downloaded_at:%Y年%m月%d日 %H:%M:%S}]"
    paid = [entry for entry in entries if entry.refund_id is None]
    back = [entry for entry in entries if entry.refund_id is not None]
    paid_sum, back_sum = (sum((e.amount for e in some), Decimal(0)) for some in (paid, back))
    fees = sum((e.fee for e in paid), Decimal(0)) - sum((e.fee for e in back), Decimal(0))
    details = [
        "#支付宝业务明细查询",
        f"#账号：[{ALIPAY_ACCOUNT}]",
        f"#{period}",
        "#-----------------------------------------业务明细列表----------------------------------------",
        ",".join(ALIPAY_COLUMNS),
        *(_tabbed(_alipay_row(entry)) for entry in entries),
        "#-----------------------------------------业务明细列表结束------------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{_yuan(paid_sum)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共{_yuan(-back_sum)}元，商家优惠退款共0.00元",
        exported,
    ]
    net = paid_sum - back_sum
    sums = (
        str(len(paid)), str(len(back)), _yuan(net), _yuan(net), "0.00", "0.00", "0.00", _yuan(fees), "0.00",
        _yuan(net - fees),
    )  # fmt: skip
    summary = [
        "#支付宝业务汇总查询",
        f"#账号：[{ALIPAY_ACCOUNT}]",
        f"#{period}",
        "#-----------------------------------------业务汇总列表----------------------------------------",
        ",".join(ALIPAY_SUMMARY_COLUMNS),
        ",".join(("\t", "\t", *sums)),
        ",".join(("合计\t", "\t", *sums)),
        "#-----------------------------------------业务汇总列表结束------------------------------------",
        exported,
    ]
    stem = f"{ALIPAY_ACCOUNT}_{day:%Y%m%d}_业务明细"
    members = {f"{stem}.csv": _gbk(details), f"{stem}(汇总).csv": _gbk(summary)}
    return gbk_zip(members, downloaded_at)


def _alipay_row(entry: Entry) -> tuple[str, ...]:
    is_refund = entry.refund_id is not None
    sign = -1 if is_refund else 1
    amount = _yuan(sign * entry.amount)
    return (
        entry.transaction_id, entry.order_id, "退款" if is_refund else "交易", entry.product,
        _time(entry.created_at), _time(entry.at), "", "", "", "", _masked(entry.payer_name, entry.payer_phone),
        amount, amount, "0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00", entry.refund_id or "",
        _yuan(sign * entry.fee), "0.00", "",
    )  # fmt: skip


def gbk_zip(members: dict[str, bytes], written_at: datetime) -> bytes:
    """A zip whose member names are GBK bytes without the flag for UTF-8, as Alipay's are."""
    buffer = io.BytesIO()
    names: dict[bytes, bytes] = {}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(members.items()):
            # `zipfile` writes names as ASCII or flagged UTF-8 only: put in names of the same length, then mend.
            raw = name.encode("gb18030")
            stand_in = f"{number}{'@' * (len(raw) - 1)}"
            names[stand_in.encode()] = raw
            info = zipfile.ZipInfo(stand_in, written_at.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    data = buffer.getvalue()
    for placed, raw in names.items():
        data = data.replace(placed, raw)
    return data


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _yuan(amount: Decimal) -> str:
    return f"{amount:.2f}" if amount else "0.00"


def _fee(amount: Decimal) -> str:
    """Two decimals, filled up with three zeros."""
    return f"{amount:.5f}" if amount else "0.00000"


def _ticked(values: tuple[str, ...]) -> str:
    return ",".join("`" + value for value in values)


def _tabbed(values: tuple[str, ...]) -> str:
    return ",".join(value + "\t" if position in _TABBED else value for position, value in enumerate(values))


def _gbk(lines: list[str]) -> bytes:
    # GB 18030 has the bytes of GBK, and those names that GBK lacks.
    return ("\r\n".join(lines) + "\r\n").encode("gb18030")


def _masked(name: str, phone: str) -> str:
    """An account as Alipay prints it: ``*三(138****0001)``."""
    return f"*{name[-1:]}({phone[:3]}****{phone[-4:]})"
