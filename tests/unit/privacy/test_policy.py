"""What an erasure does to each table of the contract, to bill files, and to values that come again."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import pytest

from lifecourse import contract
from lifecourse.privacy.files import _redacted
from lifecourse.privacy.marks import SuppressedValues, mark, value_mark
from lifecourse.privacy.policy import KEPT, OTHERS, links_of, policy_of
from lifecourse.simulator.bills import gbk_zip
from lifecourse.sources.spec import SystemSpec, TableSpec, load_systems

#: Personal columns of the institution's own people: another basis, another procedure.
EMPLOYEES = {"advisors", "staff"}


def _tables() -> list[tuple[SystemSpec, TableSpec]]:
    return [(system, table) for system in load_systems().values() for table in system.tables]


def test_every_personal_column_has_a_way_to_its_person() -> None:
    lost = {
        table.maps_to for _, table in _tables() if links_of(table).personal and not links_of(table).by_kind
    }
    assert lost == EMPLOYEES


def test_what_is_emptied_may_be_empty() -> None:
    known = contract.tables()
    for name, columns in KEPT.items():
        personal = [column for column, spec in known[name].columns.items() if spec.personal]
        for column in (*columns, *personal):
            assert not known[name].columns[column].required, f"{name}.{column}"
    for name, column in OTHERS:
        assert not known[name].columns[column].required, f"{name}.{column}"


def test_money_stays_and_what_was_said_goes() -> None:
    kept = {table.maps_to: policy_of(system, table).kept for system, table in _tables()}
    assert {"orders", "contracts", "enrolments", "attendance", "rewards", "settlement_bills"} <= {
        name for name, is_kept in kept.items() if is_kept
    }
    for name in (
        "learners",
        "learner_traits",
        "leads",
        "contacts",
        "touchpoints",
        "consents",
        "complaints",
        "surveys",
        "homework",
    ):
        assert not kept[name], name


def test_a_row_of_somebody_else_stays_when_it_names_the_person() -> None:
    [(system, table)] = [each for each in _tables() if each[1].maps_to == "referrals"]
    policy = policy_of(system, table)
    assert policy.leaves("lead", "referred_lead_id") and not policy.removes("lead", "referred_lead_id")
    assert not policy.leaves("learner", "referrer_learner_id")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_an_account_in_a_bill_becomes_stars_and_nothing_else_changes(encoding: str) -> None:
    bill = "交易时间,用户标识,金额\n2026-03-01,oUpF8uMuAJO,300.00\n2026-03-01,oOther00001,5.00\n".encode(
        encoding
    )
    after = _redacted(bill, ["oUpF8uMuAJO"])
    assert after == bill.replace(b"oUpF8uMuAJO", b"*" * 11)
    assert len(after) == len(bill)


def test_a_zipped_bill_too_and_one_without_the_account_stays_byte_for_byte() -> None:
    def zipped(text: str) -> bytes:
        content = text.encode("gb18030")
        return gbk_zip(
            {"业务明细.csv": content, "业务明细(汇总).csv": b"1.00"}, datetime(2026, 3, 1, tzinfo=UTC)
        )

    after = _redacted(zipped("账号,*三(138****0001),1.00"), ["*三(138****0001)"])
    with zipfile.ZipFile(io.BytesIO(after)) as file:
        # The reader tells the summary from the details by these names.
        assert file.namelist() == ["业务明细.csv", "业务明细(汇总).csv"]
        assert file.read("业务明细.csv").decode("gb18030") == f"账号,{'*' * 16},1.00"
    other = zipped("账号,*四(139****0001),1.00")
    assert _redacted(other, ["*三(138****0001)"]) == other


def test_only_what_was_written_before_the_erasure_is_old_news() -> None:
    erased_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    held = SuppressedValues({("phone", value_mark("phone", "138 0013 8000")): erased_at})
    cases = {
        "written before": ("13800138000", datetime(2026, 2, 1, tzinfo=UTC), True),
        "another spelling": ("+86 138-0013-8000", datetime(2026, 2, 1, tzinfo=UTC), True),
        "at an unknown time": ("13800138000", None, True),
        "somebody comes back": ("13800138000", datetime(2026, 3, 2, tzinfo=UTC), False),
        "another number": ("13800138001", None, False),
    }
    assert {name: held.holds("phone", value, at) for name, (value, at, _) in cases.items()} == {
        name: expected for name, (*_, expected) in cases.items()
    }
    assert held.concerns("phone") and not held.concerns("email")


def test_marks_of_one_key_differ_by_kind() -> None:
    assert mark("learner", "7") != mark("lead", "7")
    assert mark("learner", "7") == mark("learner", "7")
