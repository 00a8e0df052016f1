"""Experiments on messages to customers, with effects that are known: one that is there, one that is not, two to refuse.

An experiment draws an arm for everybody who is a customer on a day of its own, and notes who did what the message asked
for. Nothing else that happens to anybody hangs on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifecourse.simulator.almanac import World
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import Rng, chance, moments, uniform
from lifecourse.simulator.sheets import DAY, FAR, Flags, Sheet, sheet

#: Days from the first assignment to the last, and from an assignment in which a success counts.
ENROLS_DAYS = 60
WINDOW_DAYS = 14


@dataclass(frozen=True)
class Planted:
    """An experiment as it really is."""

    number: int
    name: str
    #: Days before the last day of the history.
    starts_before: int
    #: Persons per arm, as a share of all customers.
    planned_share: float
    #: Chance of a success in either arm.
    control: float
    treatment: float
    #: Share of the treatment arm that goes missing before it is noted: a fault of the experiment.
    lost: float = 0.0

    @property
    def effect(self) -> float:
        return self.treatment - self.control


#: What was planted, by what it shows.
PLANTED = {
    "an effect": Planted(1, "续费提醒：语音对文字", 330, 0.09, 0.22, 0.36),
    "no effect": Planted(2, "课后小结：长对短", 240, 0.09, 0.25, 0.25),
    "not the size planned": Planted(3, "请家长推荐：卡片对文字", 21, 0.3, 0.15, 0.22),
    "a lost part of an arm": Planted(4, "开放日邀请：图片对视频", 150, 0.06, 0.2, 0.2, lost=0.45),
}


def successes(rng: Rng, planted: Planted, is_treated: Flags) -> Flags:
    """Who does what the message asks for."""
    return chance(rng, np.where(is_treated, planted.treatment, planted.control), len(is_treated))


def experiments(world: World) -> Sheet:
    """The experiments of the institution."""
    each = list(PLANTED.values())
    start = np.array([world.present - one.starts_before for one in each])
    return sheet("experiments", (start - 7) * DAY + 10 * 3_600, {
        "experiment_id": np.array([one.number for one in each]),
        "name": np.array([one.name for one in each], dtype=object),
        "metric_code": "responded",
        "window_days": WINDOW_DAYS,
        "planned_units": np.array([max(round(one.planned_share * world.customers), 1) for one in each]),
        "treatment_share": 0.5,
        "starts_on": start,
        "ends_on": start + ENROLS_DAYS + WINDOW_DAYS,
    })  # fmt: skip


def add_experiments(block: Block) -> None:
    """Draw an arm for everybody who is a customer on the day it is drawn."""
    people = block.people
    everybody = np.arange(len(people))
    person, number, at, treated, answered = [], [], [], [], []
    for planted in PLANTED.values():
        # A stream for each, so that one more changes nothing of the others.
        rng = block.rng(f"experiment {planted.number}")
        start = block.world.present - planted.starts_before
        day = start + uniform(rng, len(people), 0, ENROLS_DAYS - 1)
        moment = moments(rng, day, 9, 20)
        arm = chance(rng, 0.5, len(people))
        does = successes(rng, planted, arm)
        answer = moment + uniform(rng, len(people), 600, (WINDOW_DAYS - 1) * DAY)
        there = block.in_run(everybody, day) & ~(arm & chance(rng, planted.lost, len(people)))
        person.append(everybody[there])
        number.append(np.full(there.sum(), planted.number))
        at.append(moment[there])
        treated.append(arm[there])
        answered.append(np.where(does, answer, FAR * DAY)[there])
    who, when, does_at = np.concatenate(person), np.concatenate(at), np.concatenate(answered)
    made = sheet("experiment_assignments", when, {
        "experiment_assignment_id": people.ids(len(who)),
        "experiment_id": np.concatenate(number),
        "learner_id": people.learner_id[who],
        "arm": np.where(np.concatenate(treated), "treatment", "control").astype(object),
        "assigned_at": when,
    })  # fmt: skip
    made.change(does_at, responded_at=does_at)
    block.add(made)
