"""What a test prints: a secret in it makes the test fail, and is not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def secrets_in(home: Path) -> dict[str, str]:
    """Secrets made below a home folder by name; none before the first one is asked for."""
    try:
        made: dict[str, str] = json.loads((home / "secrets.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return made


def withhold_secrets(report: pytest.TestReport, secrets: dict[str, str]) -> None:
    """Fails a report whose captured output, log or traceback holds one of the secrets, and empties it."""
    told = "\n".join([*(text for _, text in report.sections), report.longreprtext])
    leaked = sorted(name for name, value in secrets.items() if value in told)
    if leaked:
        report.outcome = "failed"
        report.sections = []
        report.longrepr = f"{report.nodeid} printed the secret {', '.join(leaked)}; its output is withheld"
