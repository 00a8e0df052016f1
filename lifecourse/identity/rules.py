"""What the seeds in dbt_project/seeds/identity say: limits, strengths, links forced and forbidden."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings

_RECORD = re.compile(r"(lead|contact|learner):.+")
_LIMITS = ("max_learners_per_key", "max_guardians_per_key")


@dataclass(frozen=True)
class Pair:
    """Two records that are one, or never one: of the account, or as persons."""

    first: str
    second: str
    level: str


@dataclass(frozen=True)
class Rules:
    """The numbers and pairs in force."""

    max_learners: int
    max_guardians: int
    #: (rule, level) -> how far the rule alone is to be trusted, 0 to 1.
    strengths: dict[tuple[str, str], float]
    forced: tuple[Pair, ...] = ()
    forbidden: tuple[Pair, ...] = ()


def read_rules(project_dir: Path | None = None) -> Rules:
    """The rules in the seeds. Raises `LifecourseError` naming file and line for what cannot be."""
    folder = (project_dir or settings().dbt_project_dir) / "seeds" / "identity"
    limits = {row["rule"]: row["value"] for _, row in _rows(folder / "identity_rules.csv")}
    missing = [name for name in _LIMITS if not limits.get(name, "").isdigit()]
    if missing:
        raise LifecourseError(
            f"no whole number for {', '.join(missing)}", str(folder / "identity_rules.csv"), "add it"
        )
    strengths = {
        (row["rule"], row["level"]): float(row["strength"])
        for _, row in _rows(folder / "identity_link_rules.csv")
    }
    return Rules(
        max_learners=int(limits["max_learners_per_key"]),
        max_guardians=int(limits["max_guardians_per_key"]),
        strengths=strengths,
        forced=_pairs(folder / "identity_forced.csv"),
        forbidden=_pairs(folder / "identity_forbidden.csv"),
    )


def _pairs(path: Path) -> tuple[Pair, ...]:
    found = []
    for line, row in _rows(path):
        first, second, level = row["record"], row["other_record"], row["level"]
        if not (_RECORD.fullmatch(first) and _RECORD.fullmatch(second)) or first == second:
            raise LifecourseError(
                "record and other_record must be two records",
                f"{path}:{line}",
                "write lead:<id>, learner:<id> or contact:<id>",
            )
        is_person = (
            level == "person" and not first.startswith("contact:") and not second.startswith("contact:")
        )
        if level != "account" and not is_person:
            raise LifecourseError(
                f"level {level!r} does not fit the records",
                f"{path}:{line}",
                "write account, or person for leads and learners",
            )
        found.append(Pair(first, second, level))
    return tuple(found)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(enumerate(csv.DictReader(file), start=2))
    except FileNotFoundError:
        raise LifecourseError("the seed is missing", str(path), "restore it, if only its header") from None
