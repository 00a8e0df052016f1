"""A small institution for the tests, made once, and checks that several of them share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date
from functools import cache

import numpy as np

from lifecourse.simulator.almanac import World
from lifecourse.simulator.block import Block
from lifecourse.simulator.fault_plan import FaultPlan, load_plan
from lifecourse.simulator.planting import Planting
from lifecourse.simulator.sheets import NONE, Sheet, State
from lifecourse.simulator.world import blocks, frame_sheets

OPENED = date(2023, 3, 2)
LAST = date(2026, 3, 1)
WORLD = World(seed=1, customers=1_000, opened_on=OPENED)

#: Columns that refer to a table under another name than its key; references lead across systems, too.
ALIASES = {
    "referrer_learner_id": "learners",
    "referrer_contact_id": "contacts",
    "referred_lead_id": "leads",
    "successor_class_id": "classes",
    "makes_up_lesson_id": "lessons",
    "next_course_id": "courses",
    "owner_id": "advisors",
}


@cache
def made(plan: str = "none") -> list[tuple[Block, Planting]]:
    """All blocks of the small institution under a shipped plan."""
    return list(blocks(WORLD, load_plan(plan)))


@cache
def frame() -> list[Sheet]:
    return frame_sheets(WORLD)


def sheets(plan: str = "none") -> Iterable[Sheet]:
    """Every sheet: the institution's own and those of all blocks."""
    yield from frame()
    for block, _ in made(plan):
        yield from block.sheets.values()


def rows(moment: int, plan: str = "none") -> dict[str, dict[str, np.ndarray]]:
    """Tables as they stand at a moment: column -> values."""
    parts: dict[str, list[State]] = {}
    for sheet in sheets(plan):
        parts.setdefault(sheet.table, []).append(sheet.state(moment))
    return {
        table: {name: np.concatenate([s.columns[name] for s in states]) for name in states[0].columns}
        for table, states in parts.items()
    }


def checksum(some: Iterable[Sheet], moment: int) -> str:
    """A checksum over everything that shows at a moment."""
    digest = hashlib.sha256()
    for sheet in some:
        state = sheet.state(moment)
        for name in sorted(state.columns):
            digest.update(f"{sheet.table} {name} {state.columns[name].tolist()}".encode())
    return digest.hexdigest()


def there(values: np.ndarray) -> np.ndarray:
    """Where a column is not null."""
    if values.dtype == object:
        return np.array([v is not None for v in values], dtype=bool)
    return ~np.isnan(values) if values.dtype == np.float64 else values != NONE


NO_FAULTS = FaultPlan()
