"""Bill files: true to the formats, in step with the payments, and read back to the cent."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lifecourse.simulator.bills import (
    ALIPAY_COLUMNS,
    BEIJING,
    WECHAT_COLUMNS,
    Bill,
    last_ready_day,
    ready_at,
    write_bills,
)
from lifecourse.simulator.fault_plan import FaultPlan, Kind
from lifecourse.simulator.schema import PAYMENTS, TABLES, create_table
from lifecourse.sources.bills import BillRow, parse_alipay_bill, parse_wechat_bill
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.setup import set_up

DATABASE = "sim_payments"
DAY = date(2026, 2, 27)
FIXTURES = Path(__file__).parents[1] / "sources" / "fixtures" / "payment_bills"


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.fromisoformat(f"{day.isoformat()}T{clock}").replace(tzinfo=BEIJING)


# payment, order, method, status, amount, fee, transaction, paid at
PAYMENTS_MADE = [
    ("P1", "O1", "wechat", "succeeded", "100.00", "0.60", "4200001", at("00:00:00")),
    ("P2", "O2", "wechat", "failed", "70.00", None, "4200002", at("09:00:00")),
    ("P3", "O3", "card", "succeeded", "80.00", None, "c1", at("09:00:00")),
    ("P4", "O4", "wechat", "succeeded", "1234.56", "7.41", "4200004", at("23:59:59")),
    ("P5", "O5", "wechat", "succeeded", "5.00", "0.03", "4200005", at("00:00:00", DAY + timedelta(days=1))),
    ("P6", "O6", "alipay", "succeeded", "88.80", "0.53", "2026022722001", at("12:00:00")),
    (
        "P7",
        "O7",
        "alipay",
        "succeeded",
        "11.10",
        None,
        "2026022622002",
        at("12:00:00", DAY - timedelta(days=1)),
    ),
]
# refund, order, payment, amount, resolution, channel's number, resolved at
REFUNDS_MADE = [
    ("R1", "O1", "P1", "30.00", "paid", "50300001", at("15:00:00")),
    ("R2", "O4", "P4", "10.00", "rejected", None, at("15:00:00")),
    ("R3", "O3", "P3", "10.00", "paid", None, at("15:00:00")),
    ("R4", "O7", "P7", "11.10", "paid", "2026x", at("16:00:00")),
    ("R5", "O5", "P5", "999.00", "paid", "50300005", at("16:00:00", DAY + timedelta(days=1))),
]


@pytest.fixture(scope="module")
def payments(module_warehouse: Warehouse) -> Iterator[psycopg.Connection[Any]]:
    set_up(module_warehouse, [DATABASE])
    with module_warehouse.connect(Role.SIMULATOR, DATABASE, autocommit=True) as connection:
        for table in TABLES[PAYMENTS]:
            connection.execute(create_table(PAYMENTS, table))
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into payments (payment_id, order_id, method, status, amount, fee_amount,"
                " channel_transaction_id, paid_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                PAYMENTS_MADE,
            )
            cursor.executemany(
                "insert into refunds (refund_id, order_id, payment_id, amount, resolution, channel_refund_id,"
                " resolved_at) values (%s, %s, %s, %s, %s, %s, %s)",
                REFUNDS_MADE,
            )
            cursor.executemany(
                "insert into orders (order_id, payer_name, payer_phone, payer_wechat_unionid) values (%s, %s, %s, %s)",
                [(f"O{n}", "欧阳娜娜", "13800000001", f"union{n}") for n in range(1, 8)],
            )
        yield connection


def read(directory: Path) -> dict[str, list[BillRow]]:
    return {
        path.name: (parse_wechat_bill if path.suffix == ".csv" else parse_alipay_bill)(
            path.read_bytes(), path.name
        )
        for path in sorted(directory.iterdir())
    }


def hashes(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def facts(rows: list[BillRow]) -> list[tuple[Any, ...]]:
    return [
        (
            r.row_kind,
            r.order_id,
            r.channel_transaction_id,
            r.channel_refund_id,
            r.merchant_refund_id,
            r.amount,
            r.fee_amount,
        )
        for r in rows
    ]


WECHAT, ALIPAY = f"wechat_1612345678_{DAY:%Y%m%d}_ALL.csv", f"alipay_2088000012345678_{DAY:%Y%m%d}.zip"


def test_a_day_read_back_is_the_day_of_the_payments(
    payments: psycopg.Connection[Any], tmp_path: Path
) -> None:
    written = write_bills(payments, tmp_path, DAY, DAY)
    bills = read(tmp_path)

    assert {bill.path.name: bill.rows for bill in written} == {WECHAT: 3, ALIPAY: 2}
    assert facts(bills[WECHAT]) == [
        ("payment", "O1", "4200001", None, None, Decimal("100.00"), Decimal("0.60000")),
        ("refund", "O1", "4200001", "50300001", "R1", Decimal("-30.00"), Decimal("-0.18000")),
        ("payment", "O4", "4200004", None, None, Decimal("1234.56"), Decimal("7.41000")),
    ]
    assert facts(bills[ALIPAY]) == [
        ("payment", "O6", "2026022722001", None, None, Decimal("88.80"), Decimal("0.53000")),
        ("refund", "O7", "2026022622002", None, "R4", Decimal("-11.10"), Decimal("-0.07000")),
    ]
    assert [row.occurred_at for row in bills[WECHAT]] == [at("00:00:00"), at("15:00:00"), at("23:59:59")]
    assert {row.bill_on for rows in bills.values() for row in rows} == {DAY}


def test_the_channel_pays_back_no_more_than_was_paid(
    payments: psycopg.Connection[Any], tmp_path: Path
) -> None:
    next_day = DAY + timedelta(days=1)
    write_bills(payments, tmp_path, next_day, next_day)
    (rows,) = read(tmp_path).values()
    assert [row.amount for row in rows] == [Decimal("5.00"), Decimal("-5.00")]


def test_a_day_without_trade_has_no_bill(payments: psycopg.Connection[Any], tmp_path: Path) -> None:
    assert write_bills(payments, tmp_path, date(2025, 1, 1), date(2025, 1, 31)) == []


def test_the_same_payments_give_the_same_bytes(payments: psycopg.Connection[Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bills(payments, tmp_path / name, DAY - timedelta(days=9), DAY + timedelta(days=9))
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two") != {}


@pytest.mark.parametrize(
    ("now", "ready"),
    [
        (at("09:59:59", DAY + timedelta(days=1)), DAY - timedelta(days=1)),
        (at("10:00:00", DAY + timedelta(days=1)), DAY),
        (at("00:30:00", DAY + timedelta(days=1)), DAY - timedelta(days=1)),
        (at("23:59:59", DAY + timedelta(days=1)), DAY),
    ],
)
def test_a_bill_is_there_the_next_morning_after_ten(
    payments: psycopg.Connection[Any], tmp_path: Path, now: datetime, ready: date
) -> None:
    assert last_ready_day(now) == ready
    written = write_bills(payments, tmp_path, DAY - timedelta(days=3), DAY + timedelta(days=3), now=now)
    assert max(bill.bill_on for bill in written) == ready
    assert all(ready_at(bill.bill_on) <= now for bill in written)


def test_a_bill_once_written_is_not_written_again(payments: psycopg.Connection[Any], tmp_path: Path) -> None:
    (tmp_path / WECHAT).write_text("kept")
    written = write_bills(payments, tmp_path, DAY, DAY)
    assert [bill.path.name for bill in written] == [ALIPAY]
    assert (tmp_path / WECHAT).read_text() == "kept"


def test_the_files_have_the_form_of_the_channels_own(
    payments: psycopg.Connection[Any], tmp_path: Path
) -> None:
    write_bills(payments, tmp_path, DAY, DAY)
    example = (FIXTURES / "wechat_v3_tradebill_ALL_20210128.csv").read_text(encoding="utf-8").splitlines()
    ours = (tmp_path / WECHAT).read_bytes().decode("utf-8-sig").splitlines()
    assert (ours[0], ours[-2]) == (example[0], example[-2])
    assert all(value.startswith("`") for value in ours[-1].split(","))
    assert ours[0] == ",".join(WECHAT_COLUMNS)

    example = (FIXTURES / "alipay_merchant_detail_20190916.gbk.csv").read_text(encoding="gbk").splitlines()
    with zipfile.ZipFile(tmp_path / ALIPAY, metadata_encoding="gbk") as archive:
        assert archive.namelist() == [
            f"2088000012345678_20260227_业务明细{part}.csv" for part in ("", "(汇总)")
        ]
        assert all(not info.flag_bits & 0x800 for info in archive.infolist())
        assert archive.testzip() is None
        ours = archive.read(archive.namelist()[0]).decode("gbk").splitlines()
    assert (ours[0], ours[3], ours[4], ours[-4]) == (example[0], example[3], example[4], example[-4])
    assert ours[4] == ",".join(ALIPAY_COLUMNS)
    assert [value.endswith("\t") for value in ours[5].split(",")] == [
        value.endswith("\t") for value in example[5].split(",")
    ]


def test_no_bill_shows_a_whole_name_or_number(payments: psycopg.Connection[Any], tmp_path: Path) -> None:
    write_bills(payments, tmp_path, DAY, DAY)
    accounts = [row.payer_account or "" for rows in read(tmp_path).values() for row in rows]
    assert "*娜(138****0001)" in accounts
    assert not any(
        "欧阳" in account or "13800000001" in account or "union" in account for account in accounts
    )


def twice(share: float) -> FaultPlan:
    return FaultPlan(faults={Kind.SAME_BILL_TWICE: share})


class TestSameBillTwice:
    def test_every_bill_comes_again_and_says_the_same(
        self, payments: psycopg.Connection[Any], tmp_path: Path
    ) -> None:
        written = write_bills(
            payments, tmp_path, DAY - timedelta(days=9), DAY + timedelta(days=9), plan=twice(1)
        )
        bills = read(tmp_path)
        copies = [bill for bill in written if bill.copy_of]
        assert len(copies) * 2 == len(written)
        for bill in copies:
            assert bill.copy_of is not None
            assert facts(bills[bill.path.name]) == facts(bills[bill.copy_of.name])
            ids = [[row.bill_row_id for row in bills[path.name]] for path in (bill.path, bill.copy_of)]
            assert ids[0] == ids[1]
            assert bill.path.match("wechat*.csv") or bill.path.match("alipay*.zip")

    def test_both_ways_occur(self, payments: psycopg.Connection[Any], tmp_path: Path) -> None:
        ways = set()
        for seed in range(8):
            folder = tmp_path / str(seed)
            for bill in write_bills(payments, folder, DAY, DAY, plan=twice(1), seed=seed):
                if bill.copy_of:
                    ways.add((bill.channel, bill.path.read_bytes() == bill.copy_of.read_bytes()))
        assert ways == {("wechat", True), ("alipay", True), ("alipay", False)}

    def test_the_share_and_the_seed_decide_which(
        self, payments: psycopg.Connection[Any], tmp_path: Path
    ) -> None:
        def copied(seed: int, share: float) -> set[str]:
            folder = tmp_path / f"{seed}-{share}-{len(list(tmp_path.iterdir()))}"
            days = DAY - timedelta(days=9), DAY + timedelta(days=9)
            written = write_bills(payments, folder, *days, plan=twice(share), seed=seed)
            return {bill.path.name for bill in written if bill.copy_of}

        assert copied(1, 0) == set()
        assert copied(1, 0.5) == copied(1, 0.5)
        assert len({frozenset(copied(seed, 0.5)) for seed in range(6)}) > 1


class TestDiscrepancies:
    DAYS = DAY - timedelta(days=9), DAY + timedelta(days=9)

    def bills(
        self, payments: psycopg.Connection[Any], folder: Path, *kinds: Kind, seed: int = 0
    ) -> tuple[list[Bill], dict[str, BillRow]]:
        """What was written, and the rows read back, by transaction and refund."""
        plan = FaultPlan(faults=dict.fromkeys(kinds, 1))
        written = write_bills(payments, folder, *self.DAYS, plan=plan, seed=seed)
        # Totals under a bill are those of its rows: the parsers refuse whole any other.
        rows = {row.bill_row_id: row for rows in read(folder).values() for row in rows}
        return written, rows

    def test_a_row_is_left_off_but_never_the_last(
        self, payments: psycopg.Connection[Any], tmp_path: Path
    ) -> None:
        _, whole = self.bills(payments, tmp_path / "whole")
        written, rows = self.bills(payments, tmp_path / "less", Kind.BILL_ROW_MISSING)
        missing = [each.entry.own_id for bill in written for each in bill.discrepancies]
        assert len(rows) + len(missing) == len(whole)
        assert len(missing) >= 2
        assert all(bill.rows == 1 for bill in written)

    def test_a_row_is_added_under_a_number_nobody_has(
        self, payments: psycopg.Connection[Any], tmp_path: Path
    ) -> None:
        _, whole = self.bills(payments, tmp_path / "whole")
        written, rows = self.bills(payments, tmp_path / "more", Kind.BILL_ROW_UNKNOWN)
        added = {each.entry.transaction_id for bill in written for each in bill.discrepancies}
        assert set(whole) < set(rows)
        assert {row.channel_transaction_id for key, row in rows.items() if key not in whole} == added
        assert all(row.row_kind == "payment" for key, row in rows.items() if key not in whole)

    @pytest.mark.parametrize("kind", [Kind.BILL_AMOUNT_DIFFERS, Kind.BILL_FEE_DIFFERS])
    def test_amounts_and_fees_differ_by_what_is_noted(
        self, payments: psycopg.Connection[Any], tmp_path: Path, kind: Kind
    ) -> None:
        _, whole = self.bills(payments, tmp_path / "whole")
        signs = set()
        for seed in range(4):
            written, rows = self.bills(payments, tmp_path / str(seed), kind, seed=seed)
            noted = {
                (each.entry.transaction_id, each.entry.refund_id): each.difference
                for bill in written
                for each in bill.discrepancies
            }
            assert set(rows) == set(whole)
            for key, row in rows.items():
                sign = -1 if row.row_kind == "refund" else 1
                difference = noted.get((row.channel_transaction_id, row.merchant_refund_id), Decimal(0))
                is_amount = kind is Kind.BILL_AMOUNT_DIFFERS
                assert row.amount - whole[key].amount == (sign * difference if is_amount else 0)
                assert row.fee_amount is not None
                assert row.fee_amount - (whole[key].fee_amount or 0) == (0 if is_amount else difference)
                assert sign * row.amount > 0
                signs.add(difference.compare(Decimal(0)))
        assert {Decimal(-1), Decimal(1)} <= signs

    def test_a_late_bill_comes_the_next_day(self, payments: psycopg.Connection[Any], tmp_path: Path) -> None:
        plan = FaultPlan(faults={Kind.BILL_A_DAY_LATE: 1})
        first = write_bills(payments, tmp_path, DAY, DAY, plan=plan)
        assert [(bill.is_late, bill.rows) for bill in first] == [(True, 0)] * 2
        assert not list(tmp_path.iterdir())
        write_bills(payments, tmp_path, DAY, DAY + timedelta(days=1), plan=plan)
        assert set(read(tmp_path)) == {WECHAT, ALIPAY}
