"""What makes it hard to tell who is who: nicknames, dates the wrong way round, phones of others, people entered twice.

Which record is struck depends on the seed and its key alone; the truth does not change.
"""

from __future__ import annotations

import numpy as np

from lifecourse.simulator import names
from lifecourse.simulator.almanac import as_date, day_number
from lifecourse.simulator.block import Block
from lifecourse.simulator.doubles import as_told, other_form
from lifecourse.simulator.draw import chance, uniform, uniform_hash
from lifecourse.simulator.fault_plan import FaultPlan, Kind
from lifecourse.simulator.households import DOUBLE, LEARNER_DOUBLE, LEARNER_STRIDE, PEOPLE_STRIDE
from lifecourse.simulator.sheets import DAY, FAR, NONE, Flags, Ints, join, sheet, words

#: Phone numbers of nobody in a block: those of contact ids that no block has.
_SWITCHBOARDS = 900_000_000
_RELATIVES = 950_000_000
#: Customers for each phone that many share.
_CUSTOMERS_PER_SWITCHBOARD = 1_000


def add_confusions(block: Block, plan: FaultPlan) -> None:
    """Strike leads, contacts and orders, and enter learners twice."""
    _nicknames(block, plan)
    _swapped_birth_dates(block, plan)
    _shared_phones(block, plan)
    _other_payers(block, plan)
    _duplicate_learners(block, plan)


def _struck(block: Block, plan: FaultPlan, kind: Kind, keys: Ints, eligible: Flags) -> Ints:
    return np.flatnonzero((uniform_hash(keys, block.world.seed, kind) < plan.rate(kind)) & eligible)


def _note(block: Block, kind: Kind, table: str, keys: Ints, **details: list[str]) -> None:
    notes: list[dict[str, object]] = [
        {name: texts[i] for name, texts in details.items()} for i in range(len(keys))
    ]
    block.doubled.append((kind, table, keys, notes))


def _first_leads(block: Block) -> tuple[Ints, Flags]:
    """Person of every lead, and whether it is the person's first record."""
    place = (block.sheets["leads"].keys - 1) % PEOPLE_STRIDE
    return np.where(place >= DOUBLE, place - DOUBLE, place), place < DOUBLE


def _nicknames(block: Block, plan: FaultPlan) -> None:
    leads = block.sheets["leads"]
    person, is_first = _first_leads(block)
    rows = _struck(block, plan, Kind.NICKNAME_GIVEN, leads.keys, is_first)
    leads.columns["learner_name"][rows] = block.people.nickname[person[rows]]
    _note(block, Kind.NICKNAME_GIVEN, "leads", leads.keys[rows])


def _swapped_birth_dates(block: Block, plan: FaultPlan) -> None:
    leads = block.sheets["leads"]
    told = leads.columns["learner_birth_date"]
    _, is_first = _first_leads(block)
    rows = _struck(block, plan, Kind.SWAPPED_BIRTH_DATE, leads.keys, is_first & (told != NONE))
    days = [as_date(told[row]) for row in rows]
    fits = np.array([day.day <= 12 and day.day != day.month for day in days], dtype=bool)
    rows = rows[fits]
    told[rows] = [day_number(day.replace(month=day.day, day=day.month)) for day in np.array(days)[fits]]
    _note(block, Kind.SWAPPED_BIRTH_DATE, "leads", leads.keys[rows])


def _shared_phones(block: Block, plan: FaultPlan) -> None:
    """The switchboard of a school, or an agent, in the place of a family's phone."""
    contacts = block.sheets["contacts"]
    rows = _struck(block, plan, Kind.SHARED_PHONE, contacts.keys, np.ones(len(contacts), dtype=bool))
    boards = max(1, block.world.customers // _CUSTOMERS_PER_SWITCHBOARD)
    lots = uniform_hash(contacts.keys[rows], block.world.seed, "switchboard")
    contacts.columns["phone"][rows] = names.phones(_SWITCHBOARDS + (lots * boards).astype(np.int64))
    _note(block, Kind.SHARED_PHONE, "contacts", contacts.keys[rows])


def _other_payers(block: Block, plan: FaultPlan) -> None:
    """Somebody outside the household pays: an aunt, perhaps for two families."""
    orders, people = block.sheets["orders"], block.people
    person = orders.columns["learner_id"] - people.learner_id[0]
    rows = _struck(block, plan, Kind.OTHER_PAYER, orders.keys, np.ones(len(orders), dtype=bool))
    # One relative for about three households.
    relative = people.household[person[rows]] // 3
    numbers = _RELATIVES + block.number * PEOPLE_STRIDE + relative
    orders.columns["payer_phone"][rows] = names.phones(numbers)
    orders.columns["payer_name"][rows] = [f"{names.SURNAMES[r % 40]}{'秀丽建华'[r % 4]}" for r in relative]
    orders.columns["payer_wechat_unionid"][rows] = None
    _note(block, Kind.OTHER_PAYER, "orders", orders.keys[rows])


def _duplicate_learners(block: Block, plan: FaultPlan) -> None:
    """A learner entered a second time at the desk, under another form of the phone; nobody teaches the second one."""
    learners, people = block.sheets["learners"], block.people
    rows = _struck(block, plan, Kind.DUPLICATE_LEARNER, learners.keys, np.ones(len(learners), dtype=bool))
    if not len(rows):
        return
    rng, n = block.rng("duplicate learners"), len(rows)
    at = learners.created[rows] + uniform(rng, n, 5 * DAY, 200 * DAY)
    person = learners.keys[rows] - people.learner_id[0]
    home = people.household[person]
    soon = at < (block.world.last_day + 1) * DAY
    name = np.where(chance(rng, 0.15, n), people.nickname[person], people.name[person])
    keys = block.number * LEARNER_STRIDE + 100_001 + LEARNER_DOUBLE + person
    second = sheet("learners", at, {
        "learner_id": keys,
        "campus_id": block.campus_id,
        "name": name,
        "birth_date": as_told(rng, people.birth_day[person]),
        "guardian_name": people.guardian[home],
        "guardian_phone": [other_form(rng, phone) for phone in people.phone[home]],
        "guardian_wechat_unionid": words(chance(rng, 0.4, n), people.unionid_of(person), None),
        "status": "active",
        "is_test": people.is_test[person],
        "is_staff_child": people.is_staff_child[person],
        "registered_at": at,
    })  # fmt: skip
    for change in learners.changes:
        second.change(np.full(n, FAR * DAY), **dict.fromkeys(change.values))
    block.sheets["learners"] = join([learners, second.take(soon)])
    _note(block, Kind.DUPLICATE_LEARNER, "learners", keys[soon],
          same_person_as=[str(key) for key in learners.keys[rows][soon]])  # fmt: skip
