"""The suites as code: one per canonical table, complete against the contract, without touching a database."""

from __future__ import annotations

import re
from pathlib import Path

import great_expectations.expectations as gxe
import pytest

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.quality import rows, rules
from lifecourse.settings import settings
from lifecourse.sources.spec import load_system

TABLES = sorted(contract.tables())
OULAD = load_system(settings().sources_dir / "oulad" / "oulad.yml")
REASONS = "the codes of exit_interviews"


def expectations(table: str, rule: str) -> list[object]:
    return [each for each in rows.suite_of(table).expectations if rows.rule_of(each)[0] == rule]


def documented_codes(description: str) -> set[str] | None:
    """The codes that a description of the contract lists, or None."""
    if REASONS in description:
        return set(rules.EXIT_REASONS)
    if "e.g." in description:
        return None
    said = re.sub(r"\([^)]*\)", "", description.split(": ", 1)[-1]).split(";")[0]
    listed = re.match(r"^[a-z0-9_]+( ?, [a-z0-9_]+)+", said) or re.match(r"^[a-z_]+ or [a-z_]+", said)
    if listed is None:
        return None
    codes = re.split(r" ?, | or ", listed.group())
    # "positive, neutral, negative, where the source gives it" ends in prose.
    return set(codes[:-1]) if said.startswith(", ".join(codes) + " ") and "," in said else set(codes)


@pytest.mark.parametrize(
    ("description", "codes"),
    [
        ("period or package", {"period", "package"}),
        ("in or out, seen from the institution", {"in", "out"}),
        ("positive, neutral, negative, where the source gives it", {"positive", "neutral", "negative"}),
        ("paid, rejected, withdrawn; null while open", {"paid", "rejected", "withdrawn"}),
        ("Household income band: low, high; null if not asked", {"low", "high"}),
        ("nps (0-10), csat (1-5), first_lesson (1-5)", {"nps", "csat", "first_lesson"}),
        ("Product line, e.g. K12, language", None),
        ("Campus; null for online or all", None),
    ],
)
def test_codes_are_read_from_descriptions(description: str, codes: set[str] | None) -> None:
    assert documented_codes(description) == codes


def test_every_landed_table_has_a_suite_and_nothing_else_has() -> None:
    files = {path.stem for path in Path(settings().expectations_dir).glob("*.py")}
    assert files - {"audit"} == {*TABLES, *(f"oulad_{table.name}" for table in OULAD.tables)}


@pytest.mark.parametrize("table", OULAD.table_names)
def test_suites_of_oulad_fit_its_tables(table: str) -> None:
    columns = set(OULAD.table(table).columns)
    suite = rows.suite_of(f"oulad_{table}")
    for each in suite.expectations:
        rule, read = rows.rule_of(each)
        assert rule in rules.RUNBOOK
        assert rule == "cast_failed" or set(read) <= columns
    # A table comes after its parents: the loader merges in the order of the file.
    order = OULAD.table_names
    for parent in rows.parents(f"oulad_{table}"):
        assert order.index(parent) < order.index(table)


@pytest.mark.parametrize("table", TABLES)
def test_suite_is_named_for_its_table_and_asks_for_readable_values(table: str) -> None:
    assert rows.suite_of(table).name == table
    (readable,) = expectations(table, "cast_failed")
    assert isinstance(readable, gxe.ExpectColumnValuesToBeNull)
    assert readable.column == "_cast_error"


@pytest.mark.parametrize("table", TABLES)
def test_suite_requires_what_the_contract_requires(table: str) -> None:
    required = {name for name, column in contract.table(table).columns.items() if column.required}
    assert {each.column for each in expectations(table, "required_missing")} == required  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", TABLES)
def test_suite_knows_every_code_that_the_contract_documents(table: str) -> None:
    wanted = {
        name: codes
        for name, column in contract.table(table).columns.items()
        if column.type == "text" and (codes := documented_codes(column.description))
    }
    known = {
        each.column: set(each.value_set or ())  # type: ignore[arg-type]
        for each in expectations(table, "unknown_enum")
        if isinstance(each, gxe.ExpectColumnValuesToBeInSet)
    }
    assert known == wanted


@pytest.mark.parametrize("table", TABLES)
def test_hours_and_money_are_bounded_unless_the_suite_says_why_not(table: str) -> None:
    free = {"channel_costs.cost_amount", "operating_costs.amount"}
    columns = contract.table(table).columns
    for rule, kind in (("negative_hours", "hours"), ("negative_amount", "money")):
        bounded = {column for each in expectations(table, rule) for column in rows.rule_of(each)[1]}  # type: ignore[arg-type]
        wanted = {name for name, column in columns.items() if column.type == kind}
        assert wanted - bounded <= {name.split(".")[1] for name in free if name.startswith(f"{table}.")}


@pytest.mark.parametrize("table", TABLES)
def test_rules_read_columns_of_the_contract_and_never_a_personal_one(table: str) -> None:
    columns = contract.table(table).columns
    for each in rows.suite_of(table).expectations:
        rule, read = rows.rule_of(each)
        assert rule in rules.RUNBOOK
        for column in read:
            assert column == "_cast_error" or columns[column].personal is None


@pytest.mark.parametrize("table", TABLES)
def test_rule_and_columns_name_an_expectation_uniquely(table: str) -> None:
    names = [rows.rule_of(each) for each in rows.suite_of(table).expectations]
    doubled = {name for name in names if names.count(name) > 1}
    # A score is bounded below by itself and above by another column, which is named as well.
    assert not doubled


def test_parents_are_tables_of_the_same_kind_of_system_and_there_is_no_circle() -> None:
    order: list[str] = []

    def visit(table: str, above: tuple[str, ...] = ()) -> None:
        assert table not in above, f"a circle: {above} {table}"
        if table not in order:
            for parent in sorted(rows.parents(table)):
                assert contract.table(parent).system_kind == contract.table(table).system_kind
                visit(parent, (*above, table))
            order.append(table)

    for table in TABLES:
        visit(table)
    assert rows.parents("attendance") == {"lessons", "learners", "enrolments"}
    assert rows.parents("refunds") == {"orders", "order_lines", "payments"}


def test_every_rule_of_the_runbook_is_used() -> None:
    used = {rows.rule_of(each)[0] for table in TABLES for each in rows.suite_of(table).expectations}
    assert used == set(rules.RUNBOOK)


def test_a_table_without_a_suite_is_told_by_its_file() -> None:
    with pytest.raises(LifecourseError, match=r"no_such_table\.py.*add the file"):
        rows.suite_of("no_such_table")
