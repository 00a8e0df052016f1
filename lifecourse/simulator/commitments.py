"""What is promised to families, and whether it is kept."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.households import UNHAPPY
from lifecourse.simulator.sheets import DAY, FAR, ragged, sheet

_KINDS = ["call_back", "material", "timetable", "feedback", "refund", "other"]


def add_commitments(block: Block) -> None:
    """About one promise in two months while somebody is a customer; to the unhappy ones fewer are kept."""
    rng, people, runs = block.rng("commitments"), block.people, block.stories.runs
    last = block.world.last_day
    run, number = ragged(np.maximum(np.minimum(runs.last_day, last) - runs.first_day, 0) // 60)
    day = runs.first_day[run] + 60 * number + uniform(rng, len(run), 1, 59)
    made = chance(rng, 0.7, len(run))
    run, day = run[made], day[made]
    person, n = runs.person[run], len(run)
    at = moments(rng, day, 9, 20)
    due = day + uniform(rng, n, 1, 10)
    sloppy = people.hidden_type[person] == UNHAPPY
    lot = rng.random(n)
    in_time = lot < np.where(sloppy, 0.6, 0.86)
    late = ~in_time & (lot < np.where(sloppy, 0.8, 0.95))
    # Before the end of the day on which it is due, or in the ten days after.
    early_at = np.minimum(at + uniform(rng, n, 600, 5 * DAY), due * DAY + 20 * 3_600)
    late_at = (due + uniform(rng, n, 1, 10)) * DAY + uniform(rng, n, 9 * 3_600, 20 * 3_600)
    kept = np.where(in_time, early_at, np.where(late, late_at, FAR * DAY))
    made_sheet = sheet("commitments", at, {
        "commitment_id": people.ids(n),
        "learner_id": people.learner_id[person],
        "contact_id": people.contact_id[person],
        "owner_id": block.advisor[person],
        "kind": pick(rng, n, _KINDS, [0.3, 0.15, 0.2, 0.2, 0.05, 0.1]),
        "due_on": due,
        "made_at": at,
    })  # fmt: skip
    made_sheet.change(kept, kept_at=kept)
    block.add(made_sheet)
