"""What codes of the lifecycle are called, in English and Chinese: the seeds that the models read."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from lifecourse.settings import settings

#: Seed -> column of the code.
SEEDS = {
    "lifecycle_stage": "stage_code",
    "lifecycle_reason": "reason_code",
    "risk_signal": "signal_code",
    "churn_reason": "churn_reason",
}


class Language(StrEnum):
    """A language that codes have names in."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True)
class Names:
    """Names by kind (a seed) and code; a code without a name is its own."""

    by_kind: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, kind: str, code: str) -> str:
        return self.by_kind.get(kind, {}).get(code) or code


def names(language: Language, project_dir: Path | None = None) -> Names:
    """The names of stages, reasons, signals and churn reasons in a language."""
    folder = (project_dir or settings().dbt_project_dir) / "seeds" / "lifecycle"
    found: dict[str, dict[str, str]] = {}
    for seed, key in SEEDS.items():
        with (folder / f"{seed}.csv").open(encoding="utf-8", newline="") as file:
            found[seed] = {row[key]: row[f"name_{language}"] for row in csv.DictReader(file)}
    return Names(found)
