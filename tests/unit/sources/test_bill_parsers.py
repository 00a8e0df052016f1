"""Bill parsers: to the cent, in every layout, and refused whole when a file is not what it says."""

from __future__ import annotations

import dataclasses
import gzip
import io
import zipfile
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from lifecourse import contract
from lifecourse.sources.bills import (
    BillRefused,
    BillRow,
    parse_alipay_bill,
    parse_wechat_bill,
    parse_wechat_fund_bill,
)

FIXTURES = Path(__file__).with_name("fixtures") / "payment_bills"
WECHAT = (FIXTURES / "wechat_v3_tradebill_ALL_20210128.csv").read_text(encoding="utf-8")
FUND = (FIXTURES / "wechat_v3_fundflow_BASIC_20210201.csv").read_text(encoding="utf-8")
ALIPAY = (FIXTURES / "alipay_merchant_detail_20190916.csv").read_text(encoding="utf-8")
BEIJING = timezone(timedelta(hours=8))

ALL_COLUMNS = WECHAT.splitlines()[0].split(",")
TOTALS_HEADER = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"


def ticked(values: list[str]) -> str:
    return ",".join("`" + value for value in values)


def payment(**changed: str) -> dict[str, str]:
    row = dict(zip(ALL_COLUMNS, [v[1:] for v in WECHAT.splitlines()[1].split(",")], strict=True))
    return (
        row
        | {
            "应结订单金额": "120.00",
            "订单金额": "128.50",
            "代金券金额": "8.50",
            "手续费": "0.77100",
        }
        | changed
    )


def refund(**changed: str) -> dict[str, str]:
    row = payment(
        交易状态="REFUND",
        应结订单金额="0.00",
        订单金额="0.00",
        代金券金额="0.00",
        手续费="-0.18000",
    )
    row |= {
        "微信退款单号": "50300806962021020105978994968",
        "商户退款单号": "R-77",
        "交易时间": "2021-01-28 20:00:01",
    }
    row |= {
        "退款金额": "28.00",
        "申请退款金额": "30.00",
        "充值券退款金额": "2.00",
        "退款类型": "ORIGINAL",
    }
    return row | {"退款状态": "PROCESSING"} | changed


def wechat_bill(
    rows: list[dict[str, str]],
    columns: list[str] = ALL_COLUMNS,
    totals: str = TOTALS_HEADER,
) -> bytes:
    """A bill of these rows with the columns in that order and true totals."""
    sums = {
        "应结订单总金额": "应结订单金额",
        "退款总金额": "退款金额",
        "充值券退款总金额": "充值券退款金额",
        "手续费总金额": "手续费",
        "订单总金额": "订单金额",
        "申请退款总金额": "申请退款金额",
        "总交易额": "总金额",
        "总退款金额": "退款金额",
        "总企业红包退款金额": "企业红包退款金额",
    }
    printed = [
        str(len(rows))
        if name == "总交易单数"
        else str(sum((Decimal(row.get(sums[name], "0")) for row in rows), Decimal(0)))
        for name in totals.split(",")
    ]
    lines = [
        ",".join(columns),
        *(ticked([row[name] for name in columns]) for row in rows),
        totals,
        ticked(printed),
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")


def zip_of(**members: bytes) -> bytes:
    """A zip whose member names are GBK without the flag that says so, as Alipay's are."""
    buffer = io.BytesIO()
    names = {}
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, (name, content) in enumerate(members.items()):
            raw = f"{name}.csv".encode("gbk")
            placeholder = f"@{number}".ljust(len(raw), "@")
            names[placeholder.encode()] = raw
            archive.writestr(zipfile.ZipInfo(placeholder), content)
    data = buffer.getvalue()
    for stand_in, raw in names.items():
        data = data.replace(stand_in, raw)
    return data


def test_a_row_has_the_columns_of_the_contract() -> None:
    assert [field.name for field in dataclasses.fields(BillRow)] == list(
        contract.table("settlement_bills").columns
    )


class TestWechatTradeBill:
    def test_reads_the_example_to_the_cent(self) -> None:
        rows = parse_wechat_bill(WECHAT.encode(), "bill.csv")

        assert [row.amount for row in rows] == [Decimal("0.01")] * 3
        assert rows[0] == BillRow(
            bill_row_id="wechat|4200000925202101284997714292|",
            channel="wechat",
            bill_on=date(2021, 1, 28),
            row_kind="payment",
            order_id="S20210128170702357723",
            channel_transaction_id="4200000925202101284997714292",
            channel_refund_id=None,
            merchant_refund_id=None,
            amount=Decimal("0.01"),
            fee_amount=Decimal("0.00000"),
            currency="CNY",
            status="SUCCESS",
            payer_account="ofyak5qR_1wYsC99CsWA6R9MJazA",
            occurred_at=datetime(2021, 1, 28, 17, 7, 11, tzinfo=BEIJING),
            bill_file="bill.csv",
            bill_row_number=1,
        )

    def test_a_refund_is_negative_and_keeps_both_refund_numbers(self) -> None:
        paid, back = parse_wechat_bill(wechat_bill([payment(), refund()]), "bill.csv")

        assert (paid.row_kind, paid.amount, paid.fee_amount) == (
            "payment",
            Decimal("128.50"),
            Decimal("0.77100"),
        )
        assert (back.row_kind, back.amount, back.fee_amount) == (
            "refund",
            Decimal("-30.00"),
            Decimal("-0.18000"),
        )
        assert back.status == "PROCESSING"
        assert (back.channel_refund_id, back.merchant_refund_id) == (
            "50300806962021020105978994968",
            "R-77",
        )
        assert back.bill_row_id == f"wechat|{paid.channel_transaction_id}|50300806962021020105978994968"

    def test_columns_in_another_order_give_the_same_rows(self) -> None:
        bill = [payment(), refund()]
        assert parse_wechat_bill(wechat_bill(bill, ALL_COLUMNS[::-1]), "b") == parse_wechat_bill(
            wechat_bill(bill), "b"
        )

    @pytest.mark.parametrize(
        "wrap",
        [
            pytest.param(lambda data: b"\xef\xbb\xbf" + data, id="byte order mark"),
            pytest.param(lambda data: data.replace(b"\n", b"\r\n"), id="carriage returns"),
            pytest.param(gzip.compress, id="gzip"),
            pytest.param(
                lambda data: data.decode().encode("gbk"),
                id="GBK from the merchant's web page",
            ),
            pytest.param(lambda data: data.replace(b"`", b""), id="no backticks"),
        ],
    )
    def test_wrappings_change_nothing(self, wrap) -> None:  # type: ignore[no-untyped-def]
        data = wechat_bill([payment(), refund()])
        assert parse_wechat_bill(wrap(data), "b") == parse_wechat_bill(data, "b")

    def test_a_comma_in_a_product_name_parts_nothing(self) -> None:
        (row,) = parse_wechat_bill(wechat_bill([payment(商品名称="数学,春季班")]), "b")
        assert row.amount == Decimal("128.50")

    def test_variant_success_has_no_refund_columns(self) -> None:
        columns = [name for name in ALL_COLUMNS if "退款" not in name]
        data = wechat_bill([payment()], columns, "总交易单数,应结订单总金额,手续费总金额,订单总金额")
        (row,) = parse_wechat_bill(data, "b")
        assert (row.amount, row.channel_refund_id) == (Decimal("128.50"), None)

    def test_variant_refund_is_dated_when_the_refund_was_accepted(self) -> None:
        columns = [*ALL_COLUMNS[:14], "退款申请时间", "退款成功时间", *ALL_COLUMNS[14:]]
        paid_earlier = {
            "交易时间": "2021-01-20 08:00:00",
            "退款申请时间": "2021-01-28 20:00:01",
        }
        row = refund(**paid_earlier, 退款成功时间="2021-01-29 01:00:00")
        (read,) = parse_wechat_bill(wechat_bill([row], columns), "b")
        assert read.occurred_at == datetime(2021, 1, 28, 20, 0, 1, tzinfo=BEIJING)
        assert read.bill_on == date(2021, 1, 28)

    def test_old_layout_without_settled_and_voucher_columns(self) -> None:
        dropped = {
            "应结订单金额",
            "代金券金额",
            "充值券退款金额",
            "订单金额",
            "申请退款金额",
            "费率备注",
        }
        columns = [name for name in ALL_COLUMNS if name not in dropped]
        columns[12:12] = ["总金额", "企业红包金额"]
        old = {"总金额": "128.5", "企业红包金额": "0.0", "企业红包退款金额": "0"}
        rows = [
            payment(**old, 交易时间="2014-11-10 16：33：45"),
            refund(**(old | {"总金额": "0"}), 交易时间="2014-11-1016：46：14"),
        ]
        totals = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"
        paid, back = parse_wechat_bill(wechat_bill(rows, columns, totals), "b")
        assert (paid.amount, back.amount) == (Decimal("128.50"), Decimal("-28.00"))
        assert paid.occurred_at == datetime(2014, 11, 10, 16, 33, 45, tzinfo=BEIJING)
        assert back.occurred_at == datetime(2014, 11, 10, 16, 46, 14, tzinfo=BEIJING)

    def test_a_revoked_payment_is_taken_back_whole(self) -> None:
        revoked = payment(交易状态="REVOKED")
        paid, back = parse_wechat_bill(wechat_bill([payment(), revoked]), "b")
        assert (back.row_kind, back.amount) == ("refund", -paid.amount)
        assert paid.bill_row_id != back.bill_row_id

    def test_a_day_without_trade_is_an_empty_bill(self) -> None:
        assert parse_wechat_bill(wechat_bill([]), "b") == []


class TestWechatRefused:
    @pytest.mark.parametrize("total", range(7))
    def test_any_tampered_total(self, total: int) -> None:
        data = wechat_bill([payment(), refund()]).decode().splitlines()
        values = data[-1].split(",")
        values[total] = "`9999"
        with pytest.raises(BillRefused, match=f"add up.*{TOTALS_HEADER.split(',')[total]}"):
            parse_wechat_bill("\n".join([*data[:-1], ",".join(values)]).encode(), "bill.csv")

    def test_a_missing_row(self) -> None:
        data = wechat_bill([payment(), refund()]).decode().splitlines()
        with pytest.raises(BillRefused, match="总交易单数 should be 2 and is 1"):
            parse_wechat_bill("\n".join([data[0], *data[2:]]).encode(), "bill.csv")

    def test_a_file_cut_short_before_its_totals(self) -> None:
        lines = WECHAT.splitlines()[:-2]
        with pytest.raises(BillRefused, match="cut short"):
            parse_wechat_bill("\n".join(lines).encode(), "bill.csv")

    def test_an_error_page_instead_of_a_bill(self) -> None:
        with pytest.raises(BillRefused, match="no bill"):
            parse_wechat_bill(b"<xml><return_code>FAIL</return_code></xml>", "bill.csv")

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"交易时间": "28.01.2021 17:07"}, "交易时间"),
            ({"交易时间": "2021-02-30 17:07:00"}, "交易时间"),
            ({"交易状态": "FINISHED"}, "交易状态"),
            ({"微信订单号": ""}, "微信订单号"),
        ],
    )
    def test_a_value_that_cannot_be_read(self, changed: dict[str, str], message: str) -> None:
        with pytest.raises(BillRefused, match=f"line 2.*{message}"):
            parse_wechat_bill(wechat_bill([payment(**changed)]), "bill.csv")

    def test_tenths_of_a_cent(self) -> None:
        with pytest.raises(BillRefused, match="订单金额"):
            parse_wechat_bill(wechat_bill([payment(订单金额="1.005")]), "bill.csv")

    def test_the_message_quotes_no_value_of_a_row(self) -> None:
        secret = "oSECRETsecretSECRET"
        data = wechat_bill([payment(用户标识=secret, 交易时间=secret, 商品名称=secret)])
        with pytest.raises(BillRefused) as caught:
            parse_wechat_bill(data, "bill.csv")
        assert secret not in str(caught.value)


class TestWechatFundBill:
    # The public example was shortened: its totals count an income that is not among its rows.
    INCOME = "`2021-02-01 09:00:00,`4200000001,`4200000002,`交易,`交易,`收入,`0.01,`0.23,`system,`,`S1"
    WHOLE = FUND.replace("\n`", "\n" + INCOME + "\n`", 1)

    def test_reads_every_row(self) -> None:
        rows = parse_wechat_fund_bill(self.WHOLE.encode(), "fund.csv")
        assert [row.direction for row in rows] == ["income", "expense", "expense"]
        assert rows[1].amount == Decimal("0.01")
        assert rows[1].balance == Decimal("0.22")
        assert rows[1].fund_flow_id == "4200000920202101197964319284"
        assert rows[1].booked_at == datetime(2021, 2, 1, 13, 54, 1, tzinfo=BEIJING)
        assert rows[1].voucher_id == "S20210201135356381941"

    def test_the_shortened_example_is_refused(self) -> None:
        with pytest.raises(BillRefused, match="资金流水总笔数 should be 3 and is 2"):
            parse_wechat_fund_bill(FUND.encode(), "fund.csv")

    @pytest.mark.parametrize("total", range(5))
    def test_any_tampered_total_is_refused(self, total: int) -> None:
        lines = self.WHOLE.splitlines()
        values = lines[-1].split(",")
        values[total] = "`77"
        with pytest.raises(BillRefused, match="add up"):
            parse_wechat_fund_bill("\n".join([*lines[:-1], ",".join(values)]).encode(), "fund.csv")


class TestAlipay:
    def test_reads_the_example_to_the_cent(self) -> None:
        rows = parse_alipay_bill(ALIPAY.encode("gbk"), "bill.csv")

        assert len(rows) == 10
        assert sum(row.amount for row in rows if row.row_kind == "payment") == Decimal("0.06")
        assert sum(row.amount for row in rows if row.row_kind == "refund") == Decimal("-0.04")
        assert rows[1] == BillRow(
            bill_row_id="alipay|2019091622001458860515315453|re_test_1568602607356",
            channel="alipay",
            bill_on=date(2019, 9, 16),
            row_kind="refund",
            order_id="service_1568601259302",
            channel_transaction_id="2019091622001458860515315453",
            channel_refund_id=None,
            merchant_refund_id="re_test_1568602607356",
            amount=Decimal("-0.01"),
            fee_amount=Decimal("0.00000"),
            currency="CNY",
            status="退款",
            payer_account="*津水(602***@qq.com)",
            occurred_at=datetime(2019, 9, 16, 10, 56, 48, tzinfo=BEIJING),
            bill_file="bill.csv",
            bill_row_number=2,
        )

    def test_gbk_and_utf8_are_the_same_bill(self) -> None:
        gbk = (FIXTURES / "alipay_merchant_detail_20190916.gbk.csv").read_bytes()
        assert parse_alipay_bill(gbk, "b") == parse_alipay_bill(ALIPAY.encode(), "b")

    def test_a_zip_with_gbk_member_names(self) -> None:
        data = zip_of(
            **{
                "2088_20190916_业务明细": ALIPAY.encode("gbk"),
                "2088_20190916_业务明细(汇总)": summary(),
            }
        )
        assert "业务".encode("gbk") in data
        assert parse_alipay_bill(data, "b") == parse_alipay_bill(ALIPAY.encode(), "b")

    def test_columns_in_another_order_give_the_same_rows(self) -> None:
        lines = ALIPAY.splitlines()
        table = [",".join(line.split(",")[::-1]) for line in lines[4:15]]
        moved = "\n".join([*lines[:4], *table, *lines[15:]])
        assert parse_alipay_bill(moved.encode("gbk"), "b") == parse_alipay_bill(ALIPAY.encode(), "b")

    @pytest.mark.parametrize("text", ["下单测试", "RPC_GENERAL接口测试"])
    def test_a_comma_in_free_text_parts_nothing(self, text: str) -> None:
        comma = ALIPAY.replace(f",{text},2019", f",春季,{text},2019")
        assert comma != ALIPAY
        assert parse_alipay_bill(comma.encode(), "b") == parse_alipay_bill(ALIPAY.encode(), "b")

    def test_a_comma_in_the_remark_parts_nothing(self) -> None:
        comma = ALIPAY.replace("0.00,下单测试\n", "0.00,下单,测试\n")
        assert comma != ALIPAY
        assert parse_alipay_bill(comma.encode(), "b") == parse_alipay_bill(ALIPAY.encode(), "b")

    def test_a_bill_of_a_month_dates_every_row_by_itself(self) -> None:
        month = ALIPAY.replace("终止日期：[2019年09月17日", "终止日期：[2019年10月16日")
        assert {row.bill_on for row in parse_alipay_bill(month.encode(), "b")} == {date(2019, 9, 16)}

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            ("交易合计：6笔", "交易合计：5笔"),
            ("商家实收共0.06元", "商家实收共0.07元"),
            ("商家优惠共0.00元", "商家优惠共0.01元"),
            ("退款合计：4笔", "退款合计：3笔"),
            ("商家实收退款共-0.04元", "商家实收退款共0.04元"),
            ("0.01,0.01,0.00", "1.01,1.01,0.00"),
        ],
    )
    def test_tampered_totals_or_amounts_are_refused(self, was: str, becomes: str) -> None:
        assert was in ALIPAY
        with pytest.raises(BillRefused, match="add up"):
            parse_alipay_bill(ALIPAY.replace(was, becomes, 1).encode("gbk"), "bill.csv")

    def test_a_file_cut_short_is_refused(self) -> None:
        with pytest.raises(BillRefused, match="cut short"):
            parse_alipay_bill("\n".join(ALIPAY.splitlines()[:-3]).encode("gbk"), "bill.csv")

    def test_a_summary_that_says_otherwise_is_refused(self) -> None:
        data = zip_of(
            **{
                "2088_业务明细": ALIPAY.encode("gbk"),
                "2088_业务明细(汇总)": summary().replace(b",6,4,", b",7,4,"),
            }
        )
        with pytest.raises(BillRefused, match="交易订单总笔数 should be 7 and is 6"):
            parse_alipay_bill(data, "bill.zip")

    def test_a_damaged_zip_is_refused(self) -> None:
        data = bytearray(zip_of(业务明细=ALIPAY.encode("gbk")))
        data[200] ^= 0xFF
        with pytest.raises(BillRefused, match="damaged"):
            parse_alipay_bill(bytes(data), "bill.zip")

    def test_the_message_quotes_no_value_of_a_row(self) -> None:
        broken = ALIPAY.replace("2019-09-16 10:55:23", "a private word")
        with pytest.raises(BillRefused) as caught:
            parse_alipay_bill(broken.encode("gbk"), "bill.csv")
        assert "private" not in str(caught.value)


def summary() -> bytes:
    """The second member of a day's zip, for the example."""
    return (
        "#支付宝业务汇总查询\n"
        "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,商家优惠（元）,"
        "卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）\n"
        "alipay_store\t,alipay_store\t,6,4,0.02,0.02,0.00,0.00,0.00,0.00,0.00,0.02\n"
        "合计\t,\t,6,4,0.02,0.02,0.00,0.00,0.00,0.00,0.00,0.02\n"
        "#导出时间：[2019年09月17日 05:46:49]\n"
    ).encode("gbk")
