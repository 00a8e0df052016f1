"""A block of customers with everything that will ever be recorded about them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lifecourse.simulator import frame
from lifecourse.simulator.almanac import World
from lifecourse.simulator.draw import chance, generator, moments, uniform, uniform_hash
from lifecourse.simulator.fault_plan import FaultPlan, Kind
from lifecourse.simulator.households import LEAD_ONLY, STEADY, People, people_of
from lifecourse.simulator.sheets import DAY, FAR, Flags, Ints, Sheet
from lifecourse.simulator.stories import Stories, Teller
from lifecourse.simulator.timetable import Timetable, timetable_of


@dataclass
class Block:
    """The people of a block, what happens to them, and the instants that several tables share."""

    world: World
    number: int
    people: People
    timetable: Timetable
    stories: Stories
    lead_at: Ints  # per person: first enquiry
    trial_booked_at: Ints  # per person; far where there is none
    paid_at: Ints  # per line: first successful payment
    placed_at: Ints  # per line: order placed
    learner_since: Ints  # per person: entered in the teaching system; far where never
    advisor: Ints  # per person: id of the advisor in charge
    sheets: dict[str, Sheet] = field(default_factory=dict)
    #: Records of people that are faults: kind, table, keys, a note for each.
    doubled: list[tuple[Kind, str, Ints, list[dict[str, object]]]] = field(default_factory=list)

    @property
    def campus_id(self) -> int:
        return int(frame.campus_id(self.people.campus))

    def rng(self, theme: str) -> np.random.Generator:
        return generator(self.world.seed, self.number, theme)

    def add(self, *made: Sheet) -> None:
        """Add sheets; rows that the laid-out future does not reach are left out."""
        limit = (self.world.last_day + 1) * DAY
        for one in made:
            soon = one.visible < limit
            self.sheets[one.table] = one if soon.all() else one.take(soon)

    def in_run(self, person: Ints, day: Ints) -> Flags:
        """Whether a person is in one of their runs on a day."""
        runs = self.stories.runs
        found = np.zeros(len(person), dtype=bool)
        for number in (1, 2, 3):
            first = np.full(len(self.people), FAR, dtype=np.int64)
            last = np.full(len(self.people), FAR, dtype=np.int64)
            here = runs.number == number
            first[runs.person[here]] = runs.first_day[here]
            last[runs.person[here]] = runs.last_day[here]
            found |= (day >= first[person]) & (day <= last[person])
        return found


def _refer(block: People, stories: Stories, rng: np.random.Generator) -> None:
    """Let some enquiries come by way of a customer of the same campus."""
    bought = stories.enquiries.bought_on
    order = np.argsort(bought, kind="stable")
    # Those who are content refer more: each of them stands for three.
    order = np.repeat(order, np.where(block.hidden_type[order] == STEADY, 3, 1))
    known = np.searchsorted(bought[order], block.first_day - 30)
    chosen = order[(rng.random(len(block)) * known).astype(np.int64).clip(0, len(order) - 1)]
    refers = chance(rng, 0.24, len(block)) & (known > 0) & (block.household[chosen] != block.household)
    block.referrer = np.where(refers, chosen, -1)
    block.channel = np.where(refers, "referral", block.channel).astype(object)


def _enter_apart(people: People, seed: int, rate: float) -> None:
    """Let some younger siblings be entered as households of their own, under the same phone."""
    lots = uniform_hash(people.lead_id, seed, Kind.SHARED_SIBLING_PHONE)
    people.entered_apart = people.is_younger() & (lots < rate)


def block_of(world: World, number: int, plan: FaultPlan) -> Block:
    """Make a block; its tables are then added by the themes (see `world.py`)."""
    people = people_of(world, number)
    _enter_apart(people, world.seed, plan.rate(Kind.SHARED_SIBLING_PHONE))
    timetable = timetable_of(world, number)
    stories = Teller(world, people, timetable).tell()
    rng = generator(world.seed, number, "instants")
    _refer(people, stories, rng)
    n = len(people)
    lead_at = moments(rng, people.first_day, 8, 21)
    booked_at = moments(rng, stories.enquiries.trial_booked_on, 9, 20)
    lines = stories.lines
    paid_at = moments(rng, lines.bought_on, 9, 21)
    placed_at = paid_at - uniform(rng, len(lines), 180, 1_200)
    shared = np.flatnonzero(lines.shares_order >= 0)
    paid_at[shared] = paid_at[lines.shares_order[shared]]
    placed_at[shared] = placed_at[lines.shares_order[shared]]
    first_placed = np.full(n, FAR * DAY, dtype=np.int64)
    np.minimum.at(first_placed, lines.person, placed_at)
    since = np.minimum(booked_at, first_placed - 300)
    return Block(
        world=world,
        number=number,
        people=people,
        timetable=timetable,
        stories=stories,
        lead_at=lead_at,
        trial_booked_at=booked_at,
        paid_at=paid_at,
        placed_at=placed_at,
        learner_since=np.where(people.reach == LEAD_ONLY, FAR * DAY, since),
        advisor=frame.advisor_id(people.campus, rng.integers(0, frame.ADVISORS_PER_CAMPUS, n)),
    )
