"""One night in a process of its own, for tests that kill it: ``python -m tests.night 2026-03-01``."""

from __future__ import annotations

import sys
from datetime import date

from lifecourse import building
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import warehouse
from tests.support import run_night


def main(day: date) -> None:
    """Pull, merge and deliver every system, then build, audit and publish the day."""
    systems = sorted(load_systems(), key=lambda name: (name == "bills", name))
    run_night(warehouse(), day, tuple(systems))
    building.build(day)


if __name__ == "__main__":
    main(date.fromisoformat(sys.argv[1]))
