"""Files of faults: what they may say, and how an error names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecourse.errors import LifecourseError
from lifecourse.simulator.fault_plan import SHIPPED, Kind, load_plan


def _error(tmp_path: Path, text: str) -> str:
    file = tmp_path / "mine.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LifecourseError) as caught:
        load_plan(file)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_the_default_has_every_kind() -> None:
    assert all(load_plan(None).rate(kind) > 0 for kind in Kind)


def test_heavy_is_five_times_the_default() -> None:
    default, heavy = load_plan("default"), load_plan("heavy")
    assert all(heavy.rate(kind) == pytest.approx(5 * default.rate(kind)) for kind in Kind)


def test_none_has_none() -> None:
    plan = load_plan("none")
    assert not any(plan.rate(kind) for kind in Kind)
    assert not plan.pairs


def test_every_shipped_file_can_be_read() -> None:
    names = {"default", "heavy", "held_out_bills", "held_out_people", "none", "two_on_a_row"}
    assert {path.stem for path in SHIPPED.glob("*.yml")} == names
    assert all(load_plan(name) for name in names)
    assert load_plan("two_on_a_row").pairs


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.yml"
    file.write_text("faults: {negative_hours: 0.05}\n", encoding="utf-8")
    assert load_plan(file).rate(Kind.NEGATIVE_HOURS) == 0.05
    assert load_plan(str(file)).rate(Kind.LATE_ROW) == 0


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("faults: {negative_hours: 1.5}", "faults.negative_hours"),
        ("faults: {negative_hours: often}", "faults.negative_hours"),
        ("faults: {no_such_kind: 0.1}", "faults.no_such_kind"),
        ("fautls: {}", "fautls"),
        ("pairs: [{kinds: [negative_hours, late_row], rate: 0.1}]", "pairs.0"),
        ("pairs: [{kinds: [negative_hours, broken_date], rate: 0.1}]", "never meet on a row"),
        ("pairs: [{kinds: [negative_hours, unknown_enum]}]", "pairs.0.rate"),
        ("faults: [", "line 1"),
    ],
    ids=["above one", "no number", "unknown kind", "unknown key", "kind of no row", "no common table", "no rate",
         "no YAML"],
)  # fmt: skip
def test_an_error_names_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    assert named in _error(tmp_path, text)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LifecourseError, match="cannot be read"):
        load_plan(tmp_path / "absent.yml")


def test_a_difference_that_rounding_explains_is_none(tmp_path: Path) -> None:
    message = _error(tmp_path, 'bill_differences: {fees: ["0.01"]}')
    assert "bill_differences.fees.0" in message
