"""Answers to what families ask: most of their calls and messages get one within a day."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, pick
from lifecourse.simulator.households import UNHAPPY
from lifecourse.simulator.sheets import DAY, FAR, NONE, Sheet, join, sheet, words

#: Positions of answers among a block's touchpoints.
_OFFSET = 500_000


def add_replies(block: Block) -> None:
    """Add a touchpoint for every answer, a few of them automatic; unhappy families wait longer."""
    rng, people = block.rng("replies"), block.people
    touches = block.sheets["touchpoints"]
    columns = touches.columns
    asked = np.flatnonzero(columns["direction"] == "in")
    asked = asked[chance(rng, 0.85, len(asked))]
    n = len(asked)
    learner = columns["learner_id"][asked]
    person = np.where(
        learner != NONE, learner - people.learner_id[0], columns["lead_id"][asked] - people.lead_id[0]
    )
    slow = people.hidden_type[person] == UNHAPPY
    automatic = chance(rng, 0.12, n)
    hours = rng.exponential(np.where(automatic, 0.05, np.where(slow, 20.0, 5.0)))
    at = touches.created[asked] + 60 + (hours * 3_600).astype(np.int64)
    # Nobody is called at night; a machine writes at any time.
    late = ~automatic & (at % DAY >= 22 * 3_600)
    early = ~automatic & (at % DAY < 8 * 3_600)
    at = np.where(late, (at // DAY + 1) * DAY + 9 * 3_600 + at % 3_600, at)
    at = np.where(early, at // DAY * DAY + 9 * 3_600 + at % 3_600, at)
    made = sheet("touchpoints", at, {
        "touchpoint_id": people.ids(n, _OFFSET),
        "lead_id": columns["lead_id"][asked],
        "contact_id": columns["contact_id"][asked],
        "learner_id": learner,
        "advisor_id": np.where(automatic, NONE, block.advisor[person]),
        "channel": words(automatic, "wechat", pick(rng, n, ["call", "wechat"], [0.4, 0.6])),
        "direction": "out",
        "outcome": words(automatic, "opened", pick(rng, n, ["reached", "replied"], [0.5, 0.5])),
        "occurred_at": at,
    })  # fmt: skip
    _append(block, touches, made)


def _append(block: Block, touches: Sheet, made: Sheet) -> None:
    """Put rows behind those of the block; nothing will happen to them."""
    made = made.take(made.visible < (block.world.last_day + 1) * DAY)
    for change in touches.changes:
        made.change(np.full(len(made), FAR * DAY), **dict.fromkeys(change.values))
    block.sheets["touchpoints"] = join([touches, made])
