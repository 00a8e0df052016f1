"""`lifecourse spans`: histories as CSV through the production lifecycle models, and what it says of broken files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from lifecourse import feeding, histories
from lifecourse.cli import app
from lifecourse.histories import HistoryError
from lifecourse.warehouse.connection import Role, Warehouse

Connection = psycopg.Connection[tuple[object, ...]]

LINES = (
    "line_id,customer_id,order_id,is_gift,kind,granted_on,starts_on,ends_on,lessons,delivery,cut_on,cut_by"
)
GOOD = {
    "customers": [
        "customer_id,campus_id",
        "lapses,north",
        "is refunded,",
        "asks only,",
        "past midnight,south",
    ],
    "contacts": ["customer_id,day", "lapses,2023-12-01", "asks only,2024-06-30", "lapses,2024-07-01"],
    "lines": [
        LINES,
        "l1,lapses,o1,false,period,2024-01-01,2024-01-05,2024-03-31,,self_paced,,",
        "l2,is refunded,o2,false,package,2024-01-01,2024-01-05,,2,scheduled,2024-05-01,refunded",
        "l3,past midnight,o3,false,package,2024-01-01,,,2,,,",
    ],
    "outcomes": [
        "customer_id,line_id,lesson_at,outcome,hours",
        "is refunded,l2,2024-01-10T10:00:00+08:00,attended,1.5",
        "past midnight,l3,2024-01-10T16:00:00Z,attended,2",
        "past midnight,,2024-01-12T16:00:00Z,leave,",
    ],
    "complaints": [
        "customer_id,opened_on,closed_on",
        "is refunded,2024-04-20,2024-05-10",
        "past midnight,2024-02-01,",
    ],
    "rules": ["campus_id,rule,value", ",dormant_after_days,20", "south,grace_days,10"],
}


def write(folder: Path, files: dict[str, list[str]]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def read(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_histories_become_spans_transitions_and_signals(warehouse: Warehouse, tmp_path: Path) -> None:
    write(tmp_path / "events", GOOD)
    arguments = ["spans", "--events", str(tmp_path / "events"), "--as-of", "2024-06-30"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert result.exit_code == 0

    assert read(tmp_path / "out" / "spans.csv") == [
        "customer_id,stage_code,base_stage,run_no,valid_from,valid_to",
        "asks only,prospect,prospect,0,2024-06-30,",
        "is refunded,onboarding,onboarding,1,2024-01-01,2024-04-20",
        "is refunded,danger,onboarding,1,2024-04-20,2024-05-01",
        "is refunded,terminated,terminated,1,2024-05-01,2024-05-21",
        "is refunded,dormant,dormant,1,2024-05-21,",
        "lapses,prospect,prospect,0,2023-12-01,2024-01-01",
        "lapses,onboarding,onboarding,1,2024-01-01,2024-01-20",
        "lapses,danger,onboarding,1,2024-01-20,2024-04-01",
        "lapses,danger,growth,1,2024-04-01,2024-05-01",
        "lapses,terminated,terminated,1,2024-05-01,2024-05-21",
        "lapses,dormant,dormant,1,2024-05-21,",
        "past midnight,onboarding,onboarding,1,2024-01-01,2024-01-12",
        "past midnight,danger,growth,1,2024-01-12,2024-01-22",
        "past midnight,terminated,terminated,1,2024-01-22,2024-02-11",
        "past midnight,dormant,dormant,1,2024-02-11,",
    ]
    assert read(tmp_path / "out" / "signals.csv") == [
        "customer_id,signal_code,opened_on,closed_on",
        "is refunded,complaint,2024-04-20,2024-05-01",
        "lapses,inactive,2024-01-20,2024-04-01",
        "lapses,lapsing,2024-04-01,2024-05-01",
        "past midnight,lapsing,2024-01-12,2024-01-22",
    ]
    transitions = read(tmp_path / "out" / "transitions.csv")
    assert transitions[:2] == [
        "customer_id,transition_on,layer,from_code,to_code,reason_code",
        "asks only,2024-06-30,base,,prospect,first_contact",
    ]
    assert "is refunded,2024-05-01,danger,danger,clear,run_ended" in transitions
    assert "past midnight,2024-01-12,base,onboarding,growth,first_course_completed" in transitions

    with warehouse.connect_maintenance() as connection:
        kept = connection.execute("select datname from pg_database").fetchall()
    assert not [name for (name,) in kept if str(name).startswith(feeding.DATABASE)]


@pytest.fixture(scope="module")
def scratch(module_warehouse: Warehouse) -> Iterator[Connection]:
    with (
        feeding.scratch(module_warehouse) as target,
        target.connect(Role.ADMIN, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture
def empty(scratch: Connection) -> Connection:
    for schema in (histories.SCHEMA, "core"):
        scratch.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
    return scratch


def changed(name: str, *lines: str) -> dict[str, list[str]]:
    """The good files, with other lines in one."""
    return {**GOOD, name: list(lines)}


BROKEN = {
    "a day that is none": (
        changed("contacts", "customer_id,day", "lapses,2024-01-01", "lapses,2024-02-30"),
        "contacts.csv line 3",
        "column day holds something else",
        "2026-03-01",
    ),
    "a day in another form": (
        changed("contacts", "customer_id,day", "lapses,01/02/2024"),
        "contacts.csv line 2",
        "column day holds something else",
        "a day such as",
    ),
    "an instant without an offset": (
        changed("nps", "customer_id,responded_at,score", "lapses,2024-01-01T10:00:00,9"),
        "nps.csv line 2",
        "column responded_at holds something else",
        "with its offset",
    ),
    "a score out of range": (
        changed("nps", "customer_id,responded_at,score", "lapses,2024-01-01T10:00:00Z,11"),
        "nps.csv line 2",
        "column score holds something else",
        "from 0 to 10",
    ),
    "a word that is no choice": (
        changed("lines", LINES, "l1,lapses,o1,false,term,2024-01-01,,,,,,"),
        "lines.csv line 2",
        "column kind holds something else",
        "period or package",
    ),
    "negative hours": (
        changed("outcomes", GOOD["outcomes"][0], "lapses,l1,2024-01-01T10:00:00Z,attended,-1"),
        "outcomes.csv line 2",
        "column hours holds something else",
        "not negative",
    ),
    "yes for true": (
        changed("lines", LINES, "l1,lapses,o1,yes,period,2024-01-01,,,,,,"),
        "lines.csv line 2",
        "column is_gift holds something else",
        "true or false",
    ),
    "a key left empty": (
        changed("contacts", "customer_id,day", "lapses,2024-01-01", ",2024-01-01"),
        "contacts.csv line 3",
        "column customer_id is empty",
        "a text",
    ),
    "too many values": (
        changed("contacts", "customer_id,day", "lapses,2024-01-01,x"),
        "contacts.csv line 2",
        "3 values",
        "one value per column",
    ),
    "a misspelt column": (
        changed("complaints", "customer_id,opened_on,closed", "lapses,2024-01-01,"),
        "complaints.csv line 1",
        "unknown column closed",
        "closed_on",
    ),
    "a column that is missing": (
        changed("contacts", "customer_id", "lapses"),
        "contacts.csv line 1",
        "no column day",
        "add it",
    ),
    "a customer nobody knows": (
        changed("contacts", "customer_id,day", "lapses,2024-01-01", "stranger,2024-01-01"),
        "contacts.csv line 3",
        "not in customers.csv",
        "add the customer",
    ),
    "a customer twice": (
        changed("customers", *GOOD["customers"], "lapses,south"),
        "customers.csv line 6",
        "second row with this customer_id",
        "leave one out",
    ),
    "a line twice": (
        changed("lines", *GOOD["lines"], GOOD["lines"][1]),
        "lines.csv line 5",
        "second row with this line_id",
        "leave one out",
    ),
    "somebody else's line": (
        changed("outcomes", GOOD["outcomes"][0], "lapses,l2,2024-01-01T10:00:00Z,attended,1"),
        "outcomes.csv line 2",
        "does not have in lines.csv",
        "leave line_id empty",
    ),
    "a cut by nobody": (
        changed("lines", LINES, "l1,lapses,o1,false,period,2024-01-01,,,,,2024-02-01,", *GOOD["lines"][2:]),
        "lines.csv line 2",
        "cut_on and cut_by",
        "fill both",
    ),
    "a package of nothing": (
        changed("lines", LINES, "l1,lapses,o1,false,package,2024-01-01,,,0,,,", *GOOD["lines"][2:]),
        "lines.csv line 2",
        "package of no lessons",
        "number of lessons",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_told_with_its_line(case: str, empty: Connection, tmp_path: Path) -> None:
    files, where, what, do = BROKEN[case]
    folder = write(tmp_path / "events", files)
    with pytest.raises(HistoryError) as error:
        histories.load(empty, folder)
    assert error.value.where == where
    assert what in error.value.what
    assert do in (error.value.do or "")


BROKEN_RULES = {
    "a rule nobody knows": ([",grace,30"], "no rule has this name"),
    "half a day": ([",grace_days,30.5"], "not a whole number"),
    "none of the last outcomes": (["north,absences_of_last,0"], "less than 1"),
    "two numbers for one rule": ([",grace_days,10", ",grace_days,20"], "second number"),
}


@pytest.mark.parametrize("case", BROKEN_RULES)
def test_a_rule_that_means_nothing_is_told(case: str, empty: Connection, tmp_path: Path) -> None:
    lines, what = BROKEN_RULES[case]
    folder = write(tmp_path / "events", changed("rules", "campus_id,rule,value", *lines))
    histories.load(empty, folder)
    empty.execute("create table core.lifecycle_rules (campus_id text, rule text, value numeric)")
    empty.execute(
        "insert into core.lifecycle_rules values (null, 'grace_days', 30), (null, 'absences_of_last', 5)"
    )
    with pytest.raises(HistoryError) as error:
        histories.override_rules(empty, folder)
    assert what in error.value.what
    assert error.value.where == f"rules.csv line {len(lines) + 1}"


def test_files_as_other_programs_write_them(empty: Connection, tmp_path: Path) -> None:
    """Byte-order mark, CRLF, quotes, columns in another order, empty and missing files, True for true."""
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "lines.csv").write_bytes(
        "\ufeffcustomer_id,line_id,granted_on,kind,is_gift\r\n".encode()
        + b'"Li, Ming",l1,2024-01-01,period,True\r\n"say ""hi""",l2,2024-01-01,period,FALSE\r\n'
    )
    (folder / "study.csv").write_text("")
    histories.load(empty, folder)
    rows = empty.execute(
        "select customer_id, line_id, is_gift, ends_on from core.int_lifecycle_line"
    ).fetchall()
    assert sorted(rows) == [("Li, Ming", "l1", True, None), ('say "hi"', "l2", False, None)]
    assert empty.execute("select count(*) from core.int_lifecycle_customer").fetchone() == (2,)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda folder: None, "no such folder"),
        (lambda folder: folder.mkdir(), "no CSV file"),
        (lambda folder: write(folder, {"custumers": ["customer_id"]}), "no file of histories"),
    ],
)
def test_a_folder_without_histories_is_told(make: object, what: str, tmp_path: Path) -> None:
    make(tmp_path / "events")  # type: ignore[operator]
    with pytest.raises(HistoryError) as error:
        feeding.check_folder(tmp_path / "events", histories.FILES, "histories", "customers")
    assert what in error.value.what


def test_the_output_can_be_read_again(tmp_path: Path, empty: Connection) -> None:
    """Names with commas and quotes come out as CSV."""
    empty.execute("create schema core")
    empty.execute("create table core.t as select 'a, \"b\"'::text as customer_id, null::date as valid_to")
    assert feeding.write_csv(empty, "select * from core.t", tmp_path / "out" / "t.csv") == 1
    with (tmp_path / "out" / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["customer_id", "valid_to"], ['a, "b"', ""]]
