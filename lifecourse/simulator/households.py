"""Who lives in a block: households, their children and grown-ups, and when they first ask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifecourse.simulator import names
from lifecourse.simulator.almanac import FUTURE_DAYS, World
from lifecourse.simulator.draw import chance, generator, pick, uniform
from lifecourse.simulator.sheets import Column, Flags, Ints, words

#: Ids of a block are `block * stride + offset + position + 1`.
LEARNER_STRIDE = 1_000
PEOPLE_STRIDE = 2_000  # leads and contacts: the upper thousand is for records made by faults
BIG_STRIDE = 1_000_000
#: First positions of leads and contacts that double another, and of siblings' own contacts.
DOUBLE, SIBLING = 1_000, 1_500
#: First position of learners who double another.
LEARNER_DOUBLE = 400

#: Hidden types: what sort of customer somebody is. Known to the simulator only.
TYPES = ("steady", "striver", "struggler", "unhappy", "bargain", "mover", "drifter", "pauser")
STEADY, STRIVER, STRUGGLER, UNHAPPY, BARGAIN, MOVER, DRIFTER, PAUSER = range(8)
_TYPE_WEIGHTS = (0.26, 0.12, 0.15, 0.11, 0.12, 0.06, 0.10, 0.08)

#: How far somebody gets.
LEAD_ONLY, TRIALLED, BUYER = range(3)


@dataclass
class People:
    """The people of a block, one per row; `household` numbers its households from 0."""

    block: int
    campus: int
    household: Ints
    is_adult: Flags
    hidden_type: Ints
    reach: Ints
    first_day: Ints  # of the first enquiry
    channel: Column
    referrer: Ints  # person who referred, -1 for nobody (set by the stories)
    birth_day: Ints
    is_girl: Flags
    name: Column
    nickname: Column
    school: Column
    region: Column
    is_test: Flags
    is_staff_child: Flags
    # one per household
    phone: Column
    second_phone: Column
    unionid: Column
    guardian: Column
    second_guardian: Column
    has_second: Flags
    relation: Column
    income_band: Column
    education: Column
    occupation: Column
    household_region: Column
    # A sibling who was entered as a household of its own (a fault): same phone, nothing else in common.
    entered_apart: Flags

    def __len__(self) -> int:
        return len(self.household)

    @property
    def learner_id(self) -> Ints:
        return self.block * LEARNER_STRIDE + 100_000 + 1 + np.arange(len(self))

    @property
    def lead_id(self) -> Ints:
        return self.block * PEOPLE_STRIDE + 1 + np.arange(len(self))

    @property
    def household_id(self) -> Ints:
        apart = LEARNER_STRIDE // 2 + np.arange(len(self))
        return self.block * LEARNER_STRIDE + 1 + np.where(self.entered_apart, apart, self.household)

    @property
    def contact_id(self) -> Ints:
        """The household's first contact, per person."""
        apart = SIBLING + np.arange(len(self))
        return self.block * PEOPLE_STRIDE + 1 + np.where(self.entered_apart, apart, 2 * self.household)

    def unionid_of(self, person: Ints) -> Column:
        """WeChat unionid known for a person's first contact."""
        return words(self.entered_apart[person], None, self.unionid[self.household[person]])

    def is_younger(self) -> Flags:
        """Whether somebody is not the first of the household."""
        younger = np.zeros(len(self), dtype=bool)
        younger[1:] = self.household[1:] == self.household[:-1]
        return younger

    def ids(self, rows: int, offset: int = 0) -> Ints:
        """Ids for `rows` rows of a table of this block."""
        return self.block * BIG_STRIDE + offset + 1 + np.arange(rows)


def _sizes(rng: np.random.Generator, people: int) -> Ints:
    """Household sizes that add up to so many people."""
    sizes = np.asarray(pick(rng, people, [1, 2, 3], [0.66, 0.27, 0.07]), dtype=np.int64)
    sums = np.cumsum(sizes)
    last = int(np.searchsorted(sums, people))
    sizes = sizes[: last + 1]
    sizes[-1] -= sums[last] - people
    return sizes


def people_of(world: World, block: int) -> People:
    """The people of a block: those of the history first, then those who first ask after it."""
    rng = generator(world.seed, block, "people")
    history = world.block_size(block)
    # The growth of the last year goes on: about one new customer in 1,200 a day.
    later = max(1, round(history * FUTURE_DAYS / 1_200))
    sizes = np.concatenate([_sizes(rng, history), _sizes(rng, later)])
    homes = len(sizes)
    old_homes = int(np.searchsorted(np.cumsum(sizes), history)) + 1
    household = np.repeat(np.arange(homes), sizes)
    n = len(household)
    grown_home = chance(rng, 0.2, homes) & (sizes == 1)
    is_adult = grown_home[household]

    span = world.present - world.first_day
    opened = world.first_day + (span * rng.random(homes) ** 0.8).astype(np.int64)
    after = world.present + 1 + (FUTURE_DAYS * rng.random(homes)).astype(np.int64)
    home_day = np.where(np.arange(homes) < old_homes, opened, np.minimum(after, world.last_day))
    number = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    gap = np.where(number == 0, 0, (rng.exponential(120, n)).astype(np.int64) + 1)
    limit = np.where(np.arange(n) < history, world.present, world.last_day)
    first_day = np.minimum(home_day[household] + gap * (number > 0), limit)

    hidden = np.asarray(pick(rng, n, range(8), _TYPE_WEIGHTS), dtype=np.int64)
    reach = np.asarray(pick(rng, n, [LEAD_ONLY, TRIALLED, BUYER], [0.18, 0.12, 0.70]), dtype=np.int64)
    age = np.where(is_adult, uniform(rng, n, 19, 45), np.asarray(
        pick(rng, n, range(4, 18), [3, 6, 9, 10, 10, 9, 8, 7, 7, 6, 5, 4, 3, 2]), dtype=np.int64))  # fmt: skip
    # Children of one household are of different ages.
    age = np.where(is_adult, age, np.clip(age + np.where(number > 0, -2 * number, 0), 3, 17))
    birth_day = first_day - age * 365 - uniform(rng, n, 0, 364)

    girl = chance(rng, 0.5, n)
    surname = names.surnames(rng, homes)
    given = names.given_names(rng, girl)
    name = np.array([surname[h] + g for h, g in zip(household, given, strict=True)], dtype=object)
    prefix = pick(rng, n, ["小", "阿", ""], [0.5, 0.1, 0.4])
    nickname = np.array(
        [p + g[-1] if p else g[-1] * 2 for p, g in zip(prefix, given, strict=True)], dtype=object
    )
    grown = names.grown_names(rng, 2 * homes)
    other = names.surnames(rng, homes)
    mother = chance(rng, 0.7, homes)
    head = np.flatnonzero(number == 0)
    guardian = [
        name[head[h]] if grown_home[h] else (other[h] if mother[h] else surname[h]) + grown[h]
        for h in range(homes)
    ]
    second = [(surname[h] if mother[h] else other[h]) + grown[homes + h] for h in range(homes)]
    contacts = block * PEOPLE_STRIDE + 1 + 2 * np.arange(homes)
    campus = world.campus_of(block)
    city, districts = names.CITIES[campus % len(names.CITIES)]
    region = pick(rng, homes, [city + d for d in districts])
    return People(
        block=block,
        campus=campus,
        household=household,
        is_adult=is_adult,
        hidden_type=hidden,
        reach=reach,
        first_day=first_day,
        channel=pick(
            rng,
            n,
            ["wechat", "douyin", "search", "ground", "walk_in", "partner", "other"],
            [0.26, 0.22, 0.14, 0.16, 0.13, 0.06, 0.03],
        ),
        referrer=np.full(n, -1, dtype=np.int64),
        birth_day=birth_day,
        is_girl=girl,
        name=name,
        nickname=nickname,
        school=pick(rng, n, names.SCHOOLS),
        region=region[household],
        is_test=chance(rng, 0.004, n),
        is_staff_child=chance(rng, 0.006, n) & ~is_adult,
        phone=np.array(names.phones(contacts), dtype=object),
        second_phone=np.array(names.phones(contacts + 1), dtype=object),
        unionid=np.array(names.unionids(world.seed, contacts), dtype=object),
        guardian=np.array(guardian, dtype=object),
        second_guardian=np.array(second, dtype=object),
        has_second=chance(rng, 0.4, homes) & ~grown_home,
        relation=np.where(grown_home, "self", np.where(mother, "mother", "father")).astype(object),
        income_band=pick(rng, homes, ["low", "middle", "upper", "high", None], [0.1, 0.35, 0.25, 0.1, 0.2]),
        education=pick(rng, homes, ["高中", "大专", "本科", "硕士", None], [0.15, 0.25, 0.35, 0.1, 0.15]),
        occupation=pick(rng, homes, ["教师", "公务员", "工程师", "个体", "医护", "职员", None]),
        household_region=region,
        entered_apart=np.zeros(n, dtype=bool),
    )


def grade_on(birth_day: Ints, day: Ints, is_adult: Flags) -> Column:
    """School grade on a day; whoever is six by 1 September begins G1. Null outside school."""
    # School years since September 1969; 122 days from 1 September to 1 January.
    year = np.floor((day + 122) / 365.25) - np.floor((birth_day + 122) / 365.25)
    grade = np.char.add("G", np.clip(year - 6, 1, 12).astype(np.int64).astype(str)).astype(object)
    grade[(year >= 4) & (year <= 6)] = "K"
    grade[(year < 4) | (year > 18) | is_adult] = None
    return grade
