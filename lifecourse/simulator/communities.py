"""Where families live: a residential community per household, so that neighbours can be told."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import chance, uniform
from lifecourse.simulator.households import PEOPLE_STRIDE
from lifecourse.simulator.sheets import Ints, words

#: Communities of a block: about fifteen households live in each.
_COMMUNITIES = 24
_FIRST = ["阳光", "锦绣", "翠湖", "金桂", "书香", "春江", "紫荆", "和平"]
_SECOND = ["花园", "家园", "新村", "雅苑"]


def add_communities(block: Block) -> None:
    """Fill the community of every contact: most who were referred by neighbours live where these live."""
    rng, people = block.rng("communities"), block.people
    homes = len(people.phone)
    lives_in = uniform(rng, homes, 0, _COMMUNITIES - 1)
    for home, other in _neighbours(block):
        lives_in[home] = lives_in[other]
    told = chance(rng, 0.75, homes)
    contacts = block.sheets["contacts"]
    household = _household(block, contacts.keys)
    name = np.array(
        [_name(block.people.campus, block.number, int(number)) for number in range(_COMMUNITIES)],
        dtype=object,
    )
    contacts.columns["community"] = words(told[household], name[lives_in[household]], None)


def _neighbours(block: Block) -> list[tuple[int, int]]:
    """Households that a neighbour referred, each with that neighbour's, in the order in which they came."""
    people, referrals = block.people, block.sheets["referrals"]
    first_lead, first_learner = int(people.lead_id[0]), int(people.learner_id[0])
    rows = np.flatnonzero(referrals.columns["source_type"] == "neighbour")
    rows = rows[np.argsort(referrals.created[rows], kind="stable")]
    referred = referrals.columns["referred_lead_id"][rows] - first_lead
    by = referrals.columns["referrer_learner_id"][rows] - first_learner
    # A household lives in one place, whoever referred its other children.
    seen: set[int] = set()
    pairs = []
    for home, other in zip(people.household[referred].tolist(), people.household[by].tolist(), strict=True):
        if home not in seen and home != other:
            pairs.append((home, other))
        seen |= {home, other}
    return pairs


def _household(block: Block, contact_ids: Ints) -> Ints:
    """The household of every contact, a sibling's own contact included."""
    people = block.people
    of_contact = {int(c): int(h) for c, h in zip(people.contact_id, people.household, strict=True)}
    first = block.number * PEOPLE_STRIDE + 1
    return np.array([of_contact.get(int(c), (int(c) - first) // 2) for c in contact_ids], dtype=np.int64)


def _name(campus: int, block: int, number: int) -> str:
    part = number + 7 * campus
    return f"{_FIRST[part % len(_FIRST)]}{_SECOND[number // len(_FIRST) % len(_SECOND)]}{block + 1}期"
