"""Files of rules: what is said of broken ones, and which number holds where."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from lifecourse.lifecycle.rules import RulesError, RuleSet, seed_rules, with_file

BASE = RuleSet(
    "published",
    {
        ("", "grace_days"): Decimal(30),
        ("", "absences_min"): Decimal(3),
        ("", "homework_threshold"): Decimal("0.6"),
        ("north", "grace_days"): Decimal(10),
    },
)
CAMPUSES = {"north", "south"}

BROKEN = {
    "a rule nobody knows": (",grace,30", "no rule has this name", "grace_days"),
    "a campus nobody knows": ("west,grace_days,30", "no campus has this id", "north, south"),
    "a word for a number": (",grace_days,thirty", "is no number", "14"),
    "an empty value": (",grace_days,", "is no number", "14"),
    "not a number": (",grace_days,NaN", "out of range", "from 0"),
    "less than nothing": (",grace_days,-1", "out of range", "from 0"),
    "more than a century": (",grace_days,36526", "out of range", "36525"),
    "half a day": (",grace_days,30.5", "not a whole number", "write one"),
    "none of the last outcomes": (",absences_min,0", "less than 1", "1 or more"),
    "a share of more than all": (",homework_threshold,1.01", "more than 1", "0.5"),
    "a number twice": (",grace_days,12\n,grace_days,13", "second number", "leave one out"),
    "a value too many": (",grace_days,30,", "4 values", "one value per column"),
}


def written(folder: Path, *lines: str, header: str = "campus_id,rule,value") -> Path:
    path = folder / "other.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_told(case: str, tmp_path: Path) -> None:
    lines, what, do = BROKEN[case]
    with pytest.raises(RulesError) as error:
        with_file(BASE, written(tmp_path, "south,absences_min,2", lines), CAMPUSES)
    last = 2 + len(lines.split("\n"))
    assert error.value.where == f"other.csv line {last}"
    assert what in error.value.what
    assert do in (error.value.do or "")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"rule,value\ngrace_days,1\n", "the header is another"),
        (b"", "the header is another"),
        (b"campus_id,rule,value\n", "holds no rule"),
        (b"campus_id,rule,value\n,grace_days,\xff\n", "cannot be read"),
    ],
)
def test_a_file_of_something_else_is_told(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(content)
    with pytest.raises(RulesError) as error:
        with_file(BASE, path, CAMPUSES)
    assert what in error.value.what


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as error:
        with_file(BASE, tmp_path / "none.csv", CAMPUSES)
    assert "published, seed" in (error.value.do or "")


def test_the_bounds_themselves_are_taken(tmp_path: Path) -> None:
    lines = (",grace_days,0", "south,grace_days,36525", ",absences_min,1", ",homework_threshold,1")
    found = with_file(BASE, written(tmp_path, *lines), CAMPUSES)
    assert found.at()["grace_days"] == 0
    assert found.at("south")["grace_days"] == 36525


def test_a_campus_keeps_its_own_number(tmp_path: Path) -> None:
    found = with_file(BASE, written(tmp_path, ",grace_days,14"), CAMPUSES)
    assert [found.at(each)["grace_days"] for each in ("", "south", "north")] == [14, 14, 10]
    assert found.at("north")["absences_min"] == 3


def test_files_as_other_programs_write_them(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_bytes(b"\xef\xbb\xbfrule,campus_id,value\r\ngrace_days, north ,7\r\n\r\n")
    assert with_file(BASE, path, CAMPUSES).at("north")["grace_days"] == 7


def test_sets_are_the_same_where_the_same_numbers_hold(tmp_path: Path) -> None:
    assert with_file(BASE, written(tmp_path, "south,grace_days,30"), CAMPUSES).is_same_as(BASE)
    assert not with_file(BASE, written(tmp_path, "south,grace_days,31"), CAMPUSES).is_same_as(BASE)


def test_the_version_changes_with_a_number_that_holds_there(tmp_path: Path) -> None:
    found = with_file(BASE, written(tmp_path, "north,grace_days,11"), CAMPUSES)
    assert found.version_at("north") != BASE.version_at("north")
    assert found.version_at("south") == BASE.version_at("south") == BASE.version_at()


def test_the_seed_has_a_default_for_every_rule() -> None:
    seed = seed_rules()
    assert {"grace_days", "expectation_days"} <= set(seed.names)
    assert seed.campuses == []
