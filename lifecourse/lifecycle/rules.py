"""Rule sets: the numbers of the seed, and a file of other numbers on top of them, checked line by line."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings

HEADER = ("campus_id", "rule", "value")
#: Rules that are shares; all others count days, events, weeks or points, and are whole numbers.
SHARES = ("homework_threshold", "usage_ratio_max")
#: Counts of which at least one is needed for the rule to mean anything.
AT_LEAST_ONE = ("absences_of_last", "absences_min", "homework_weeks", "usage_window_weeks")
#: A century in days: what is longer is a slip of the keyboard, and leads out of the calendar.
MOST = 36_525


class RulesError(LifecourseError):
    """A file of rules does not hold what it should: which, in which line, and what to write."""


@dataclass(frozen=True)
class RuleSet:
    """Numbers by campus (empty: every other campus) and rule, in the order of the seed."""

    name: str
    numbers: Mapping[tuple[str, str], Decimal]

    @property
    def names(self) -> list[str]:
        """The rules there are, in the order of the seed: every one has a default."""
        return [rule for campus, rule in self.numbers if not campus]

    @property
    def campuses(self) -> list[str]:
        """Campuses with a number of their own."""
        return sorted({campus for campus, _ in self.numbers if campus})

    def at(self, campus: str = "") -> dict[str, Decimal]:
        """The numbers that hold at a campus, by rule."""
        return {rule: self.numbers.get((campus, rule), self.numbers["", rule]) for rule in self.names}

    def version_at(self, campus: str = "") -> str:
        """The version that rows carry which these numbers made, as the model int_campus_rules reckons it."""
        texts = (
            f"{value:f}" if rule in SHARES else str(int(value)) for rule, value in self.at(campus).items()
        )
        return hashlib.md5("|".join(texts).encode(), usedforsecurity=False).hexdigest()[:12]

    def is_same_as(self, other: RuleSet) -> bool:
        """Whether the same numbers hold everywhere."""
        everywhere = {"", *self.campuses, *other.campuses}
        return all(self.at(campus) == other.at(campus) for campus in everywhere)

    def rows(self) -> Iterator[tuple[str | None, str, Decimal]]:
        """The rows of the seed: campus (None for all others), rule, value."""
        for (campus, rule), value in self.numbers.items():
            yield campus or None, rule, value


def seed_rules(project_dir: Path | None = None) -> RuleSet:
    """The rules of the seed file as it stands now."""
    path = (project_dir or settings().dbt_project_dir) / "seeds" / "lifecycle" / "lifecycle_rules.csv"
    return RuleSet("seed", _read(path))


def with_file(base: RuleSet, path: Path, campuses: Collection[str]) -> RuleSet:
    """The rules of `base` with the numbers of a CSV file (campus_id, rule, value; no campus: all) in their place.

    A number for all campuses leaves those alone that have one of their own, as in the seed. Raises RulesError with
    file and line for a rule or a campus that nobody knows, and for a value that means nothing.
    """
    given: dict[tuple[str, str], Decimal] = {}
    for line, (campus, rule), value in _lines(path):
        where = f"{path.name} line {line}"
        if rule not in base.names:
            raise RulesError("no rule has this name", where, f"rules are {', '.join(base.names)}")
        if campus and campus not in campuses:
            known = ", ".join(sorted(campuses)) or "none: leave it empty"
            raise RulesError("no campus has this id", where, f"campuses are {known}")
        if (campus, rule) in given:
            raise RulesError(f"a second number for {rule}", where, "leave one out")
        given[campus, rule] = _checked(rule, value, where)
    if not given:
        raise RulesError("the file holds no rule", path.name, "write lines such as ,grace_days,14")
    return RuleSet(path.stem, {**base.numbers, **given})


def _checked(rule: str, text: str, where: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise RulesError(f"the value of {rule} is no number", where, "write one such as 14 or 0.5") from None
    if not value.is_finite() or value < 0 or value > MOST:
        raise RulesError(f"the value of {rule} is out of range", where, f"write a number from 0 to {MOST}")
    if rule in SHARES:
        if value > 1:
            raise RulesError(f"{rule} is more than 1", where, "write a share such as 0.5")
        return value
    if value != value.to_integral_value():
        raise RulesError(f"{rule} is not a whole number", where, "write one")
    if rule in AT_LEAST_ONE and value < 1:
        raise RulesError(f"{rule} is less than 1", where, "write 1 or more")
    return value


def _read(path: Path) -> dict[tuple[str, str], Decimal]:
    return {key: Decimal(value) for _, key, value in _lines(path)}


def _lines(path: Path) -> Iterator[tuple[int, tuple[str, str], str]]:
    """Number of the line, (campus, rule) and value as written. Raises RulesError for what is no such file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RulesError(
            "there is no such file",
            str(path),
            "give published, seed, or a CSV file of campus_id, rule, value",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise RulesError("the file cannot be read as text", str(path), "save it as CSV in UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""))
    header = tuple(next(reader, []))
    if sorted(header) != sorted(HEADER):
        raise RulesError("the header is another", f"{path.name} line 1", f"write {','.join(HEADER)}")
    for cells in reader:
        if not cells:
            continue
        if len(cells) != len(header):
            raise RulesError(
                f"{len(cells)} values, but the header has {len(header)}",
                f"{path.name} line {reader.line_num}",
                "write one value per column",
            )
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        yield reader.line_num, (row["campus_id"], row["rule"]), row["value"]
