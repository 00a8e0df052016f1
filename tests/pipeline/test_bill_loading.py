"""Bill files through the real loader: counted once however often they come, and refused whole when broken."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.simulator.bills import BEIJING, gbk_zip
from lifecourse.sources.spec import SystemSpec, load_system
from lifecourse.warehouse.connection import Role, Warehouse

PROJECT = Path(__file__).parents[2]
FIXTURES = PROJECT / "tests" / "unit" / "sources" / "fixtures" / "payment_bills"
DAY = date(2021, 2, 1)
ALIPAY = (FIXTURES / "alipay_merchant_detail_20190916.gbk.csv").read_bytes()


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemSpec:
    """The project's own description of the bills, over an empty folder."""
    monkeypatch.setenv("LIFECOURSE_BILLS_DIR", str(tmp_path))
    return load_system(PROJECT / "sources" / "bills.yml")


def put_wechat(folder: Path, name: str = "wechat_20210128.csv") -> Path:
    return Path(shutil.copy(FIXTURES / "wechat_v3_tradebill_ALL_20210128.csv", folder / name))


def put_alipay(folder: Path, name: str, exported: str) -> None:
    content = ALIPAY.decode("gbk").replace("05:46:49", exported).encode("gbk")
    (folder / name).write_bytes(
        gbk_zip({"2088_业务明细.csv": content}, datetime(2019, 9, 17, 10, tzinfo=BEIJING))
    )


def night(spec: SystemSpec, warehouse: Warehouse, day: date = DAY) -> dict[str, Any]:
    pulled = pull_system(spec, day, warehouse)
    merged = merge_system(spec, day, warehouse)
    return {"errors": pulled.errors, "refused": merged.refused, "tables": merged.tables}


def amounts(warehouse: Warehouse) -> dict[str, tuple[int, Decimal]]:
    with warehouse.connect(Role.LOADER) as connection:
        rows = connection.execute(
            "select channel || ' ' || row_kind, count(*), sum(amount) from canonical.settlement_bills group by 1"
        ).fetchall()
    return {name: (count, total) for name, count, total in rows}


ONCE = {
    "wechat payment": (3, Decimal("0.03")),
    "alipay payment": (6, Decimal("0.06")),
    "alipay refund": (4, Decimal("-0.04")),
}


def test_a_bill_sent_again_counts_once(tmp_path: Path, spec: SystemSpec, warehouse: Warehouse) -> None:
    put_wechat(tmp_path)
    put_wechat(tmp_path, "wechat_20210128_copy.csv")
    put_alipay(tmp_path, "alipay_20190916.zip", "05:46:49")
    put_alipay(tmp_path, "alipay_20190916(1).zip", "11:00:00")
    first = night(spec, warehouse)
    assert (first["errors"], first["refused"]) == ({}, {})
    assert amounts(warehouse) == ONCE

    put_wechat(tmp_path, "wechat_another_name.csv")
    put_alipay(tmp_path, "alipay_20190916(2).zip", "12:00:00")
    second = night(spec, warehouse, date(2021, 2, 2))
    assert second["tables"]["wechat"].read == 0
    assert second["tables"]["alipay"].inserted == second["tables"]["alipay"].quarantined == 0
    assert amounts(warehouse) == ONCE


def test_a_tampered_bill_is_refused_and_the_others_are_not(
    tmp_path: Path, spec: SystemSpec, warehouse: Warehouse
) -> None:
    put_alipay(tmp_path, "alipay_20190916.zip", "05:46:49")
    broken = put_wechat(tmp_path)
    text = broken.read_text(encoding="utf-8")
    broken.write_text(text.replace("`0.01,`0.00,`0,`0", "`9.01,`0.00,`0,`0", 1), encoding="utf-8")
    outcome = night(spec, warehouse)
    assert "do not add up" in outcome["errors"]["wechat"]
    assert set(amounts(warehouse)) == {"alipay payment", "alipay refund"}
    with pytest.raises(LifecourseError, match=r"wechat_20210128\.csv.*do not add up"):
        deliver(spec, DAY, warehouse)

    broken.write_text(text, encoding="utf-8")
    assert night(spec, warehouse)["errors"] == {}
    assert amounts(warehouse) == ONCE
    deliver(spec, DAY, warehouse)


def test_accounts_of_payers_are_tokens(tmp_path: Path, spec: SystemSpec, warehouse: Warehouse) -> None:
    put_wechat(tmp_path)
    night(spec, warehouse)
    with warehouse.connect(Role.LOADER) as connection:
        rows = connection.execute("select * from raw.bills__wechat").fetchall()
    assert rows
    assert "ofyak5qR_1wYsC99CsWA6R9MJazA" not in repr(rows)
