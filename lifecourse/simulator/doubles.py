"""People recorded more than once: the same child asked for again, weeks later, over another channel."""

from __future__ import annotations

import numpy as np

from lifecourse.simulator.almanac import as_date, day_number
from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import Rng, chance, pick, uniform, uniform_hash
from lifecourse.simulator.fault_plan import FaultPlan, Kind
from lifecourse.simulator.households import DOUBLE, PEOPLE_STRIDE
from lifecourse.simulator.sheets import DAY, FAR, NONE, Column, Ints, join, sheet, words

_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def add_doubles(block: Block, plan: FaultPlan) -> None:
    """Add leads, each with a contact of its own, that double earlier ones; note siblings entered apart."""
    people = block.people
    apart = np.flatnonzero(people.entered_apart & (block.lead_at < (block.world.last_day + 1) * DAY))
    first = block.number * PEOPLE_STRIDE + 1 + 2 * people.household
    block.doubled.append((Kind.SHARED_SIBLING_PHONE, "contacts", people.contact_id[apart],
                          [{"shares_phone_with": str(c)} for c in first[apart]]))  # fmt: skip
    lots = uniform_hash(people.lead_id, block.world.seed, Kind.DUPLICATE_LEAD)
    again = np.flatnonzero(lots < plan.rate(Kind.DUPLICATE_LEAD))
    if not len(again):
        return
    rng, n = block.rng("doubles"), len(again)
    at = block.lead_at[again] + uniform(rng, n, 2 * DAY, 60 * DAY)
    keep = at < (block.world.last_day + 1) * DAY
    again, at = again[keep], at[keep]
    n = len(again)
    home = people.household[again]
    contacts = block.sheets["contacts"]
    doubles = sheet("contacts", at, {
        "contact_id": block.number * PEOPLE_STRIDE + 1 + DOUBLE + again,
        "campus_id": block.campus_id,
        "name": people.guardian[home],
        "phone": [other_form(rng, p) for p in people.phone[home]],
        "wechat_unionid": words(chance(rng, 0.5, n), people.unionid_of(again), None),
        "relation": people.relation[home],
        "is_decision_maker": True,
        "region": people.household_region[home],
        "created_at": at,
    })  # fmt: skip
    for change in contacts.changes:
        doubles.change(np.full(n, FAR * DAY), **dict.fromkeys(change.values))
    block.sheets["contacts"] = join([contacts, doubles])

    leads = block.sheets["leads"]
    channel = pick(rng, n, ["wechat", "walk_in", "search", "other"])
    name = np.where(chance(rng, 0.25, n), people.nickname[again], people.name[again])
    second = sheet("leads", at, {
        "lead_id": block.number * PEOPLE_STRIDE + 1 + DOUBLE + again,
        "contact_id": block.number * PEOPLE_STRIDE + 1 + DOUBLE + again,
        "campus_id": block.campus_id,
        "channel_code": channel,
        "advisor_id": block.advisor[again],
        "learner_name": [n if lot else f" {n[:1]} {n[1:]}" for n, lot in zip(name, chance(rng, 0.85, n), strict=True)],
        "learner_birth_date": as_told(rng, people.birth_day[again]),
        "status": "new",
        "is_test": people.is_test[again],
        "created_at": at,
    })  # fmt: skip
    for number, change in enumerate(leads.changes):
        # Somebody takes it up, and gives it up when the family turns out to be known.
        happens = {0: at + 20 * 3_600, len(leads.changes) - 1: at + uniform(rng, n, 10, 40) * DAY}
        values: dict[str, object] = dict.fromkeys(change.values)
        if number == 0:
            values["status"] = "contacted"
        elif number == len(leads.changes) - 1:
            values |= {"status": "invalid", "lost_reason": "no_need"}
        second.change(happens.get(number, np.full(n, FAR * DAY)), **values)
    block.sheets["leads"] = join([leads, second])
    notes: list[dict[str, object]] = [{"same_person_as": str(k)} for k in people.lead_id[again]]
    block.doubled.append((Kind.DUPLICATE_LEAD, "leads", second.keys, notes))


def other_form(rng: Rng, phone: str) -> str:
    """The same number as somebody else would type it: still well formed once blanks and prefixes are gone."""
    form = int(rng.integers(0, 4))
    return [phone, f"+86 {phone}", f"{phone[:3]} {phone[3:7]} {phone[7:]}", phone.translate(_WIDE)][form]


def as_told(rng: Rng, birth_day: Ints) -> Column:
    """The birth date once more: right, with day and month swapped, or not at all."""
    told = birth_day.copy()
    lot = rng.random(len(told))
    for i in np.flatnonzero(lot < 0.15):
        born = as_date(told[i])
        if born.day <= 12:
            told[i] = day_number(born.replace(month=born.day, day=born.month))
    told[lot > 0.7] = NONE
    return told
