"""Which institution is on stage: what a demo leaves behind so that Airflow can be started again on it.

``<home>/demo.json`` holds the environment that its sources need and the processes that serve them. Without the file
the institution is a real one, and the environment alone says where its systems are.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lifecourse.orchestration.settings import orchestration_settings
from lifecourse.settings import settings


@dataclass(frozen=True)
class Stage:
    """An institution for trying things on."""

    institution: str
    #: Environment variables its sources and Airflow need.
    environment: dict[str, str] = field(default_factory=dict)
    #: Processes that serve its sources: name -> arguments for this Python.
    companions: dict[str, list[str]] = field(default_factory=dict)

    def enter(self) -> None:
        """Makes this process, and those it starts, see the institution; what is set already wins."""
        for name, value in self.environment.items():
            os.environ.setdefault(name, value)
        settings.cache_clear()
        orchestration_settings.cache_clear()

    def save(self) -> None:
        """Leaves it for the next start of Airflow."""
        _file().parent.mkdir(parents=True, exist_ok=True)
        _file().write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def current() -> Stage | None:
    """The institution a demo has left on stage, if any."""
    try:
        return Stage(**json.loads(_file().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _file() -> Path:
    return settings().home / "demo.json"
