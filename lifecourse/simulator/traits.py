"""What teachers and advisors note of a learner: personality, interests, taboos, how somebody likes to learn.

Drawn from a stream of its own, so that nothing else of the institution moves with it.
"""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, moments, pick, uniform
from lifecourse.simulator.sheets import DAY, FAR, ragged, sheet

#: Per kind: most that are noted of one learner, chance of each, codes (seed trait_codes has their words).
KINDS: dict[str, tuple[int, float, tuple[str, ...]]] = {
    "personality": (2, 0.4, ("outgoing", "reserved", "careful", "impulsive", "competitive", "patient")),
    "interest": (3, 0.3, ("drawing", "football", "reading", "video_games", "animals", "singing", "building")),
    "taboo": (
        1,
        0.15,
        ("none", "public_criticism", "comparison", "food_reward", "late_call", "family_matters"),
    ),
    "learning_preference": (
        1,
        0.35,
        ("by_doing", "by_reading", "by_listening", "small_steps", "with_others"),
    ),
}
_NOTED_BY = ["teacher", "advisor", "service", "guardian", "learner"]
_NOTED_BY_SHARES = [0.5, 0.22, 0.08, 0.15, 0.05]


def add_traits(block: Block) -> None:
    """The table `learner_traits`: noted within half a year of the first day, one in ten taken back later."""
    rng, people = block.rng("traits"), block.people
    learners = np.flatnonzero(block.learner_since < FAR * DAY)
    person, kind, code = [], [], []
    for name, (most, share, codes) in KINDS.items():
        who, number = ragged(np.full(len(learners), most))
        # Different codes of one learner: neighbours in the list, from a place of the learner's own.
        first = uniform(rng, len(learners), 0, len(codes) - 1)
        noted = chance(rng, share, len(who))
        person.append(learners[who[noted]])
        kind.append(np.full(int(noted.sum()), name, dtype=object))
        code.append(np.array(codes, dtype=object)[(first[who] + number)[noted] % len(codes)])
    of = np.concatenate(person)
    n = len(of)
    day = block.learner_since[of] // DAY + uniform(rng, n, 1, 180)
    noted_at = moments(rng, day, 9, 20)
    withdrawn = np.where(chance(rng, 0.1, n), noted_at + uniform(rng, n, 30 * DAY, 700 * DAY), FAR * DAY)
    made = sheet("learner_traits", noted_at, {
        "trait_id": people.ids(n),
        "learner_id": people.learner_id[of],
        "kind": np.concatenate(kind),
        "code": np.concatenate(code),
        "noted_at": noted_at,
        "noted_by": pick(rng, n, _NOTED_BY, _NOTED_BY_SHARES),
    })  # fmt: skip
    made.change(withdrawn, withdrawn_at=withdrawn)
    block.add(made)
