"""Within one account: which leads and learners are one person. Pure functions, no database.

What counts is the set of records and never the order in which they came: sure links are made first, doubtful ones
only where nobody else could be meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A lead or learner with what is known of the person: tokens, never values."""

    record_id: str
    learner_id: str | None = None  # its own, or the one that a lead names
    learner_rule: str | None = None
    name: str | None = None
    core: str | None = None
    is_nickname: bool = False
    nickname: str | None = None
    birth: str | None = None  # None where unknown or not a date
    swapped: str | None = None

    @property
    def is_learner(self) -> bool:
        return self.record_id.startswith("learner:")

    @property
    def birth_either_way(self) -> str | None:
        """The same for a birth date and for the one with day and month exchanged."""
        return min(self.birth, self.swapped) if self.birth and self.swapped else self.birth


@dataclass(frozen=True, slots=True)
class Link:
    """`who` is the same person as `whom`, by a rule."""

    who: str
    whom: str
    rule: str


Forbidden = Collection[frozenset[str]]


def order_of(record_id: str) -> tuple[bool, int, str]:
    """Learners first, then shorter ids, so that numbers keep their order."""
    return (not record_id.startswith("learner:"), len(record_id), record_id)


class Groups:
    """Sets of records that grow together, but for pairs that are forbidden."""

    def __init__(self, records: Iterable[str], forbidden: Forbidden = ()) -> None:
        self._of = {record: record for record in records}
        self._members = {record: [record] for record in self._of}
        self._apart: dict[str, set[str]] = defaultdict(set)
        for pair in forbidden:
            first, second = sorted(pair)
            self._apart[first].add(second)
            self._apart[second].add(first)

    def of(self, record: str) -> str:
        return self._of[record]

    def members(self, group: str) -> list[str]:
        return self._members[group]

    def join(self, first: str, second: str) -> bool:
        """Make one group of two; False where a forbidden pair would be in it."""
        one, other = self._of[first], self._of[second]
        if one == other:
            return True
        if self._apart and any(
            self._of.get(apart) == other
            for record in self._members[one]
            for apart in self._apart.get(record, ())
        ):
            return False
        if len(self._members[one]) < len(self._members[other]):
            one, other = other, one
        for record in self._members.pop(other):
            self._of[record] = one
            self._members[one].append(record)
        return True

    def groups(self) -> list[list[str]]:
        return list(self._members.values())


def persons(
    records: Sequence[Record], forced: Collection[tuple[str, str]] = (), forbidden: Forbidden = ()
) -> tuple[list[list[str]], list[Link]]:
    """The persons of an account as groups of record ids, and the links that made them."""
    if len(records) == 1:
        return [[records[0].record_id]], []
    known = {
        record.record_id: record for record in sorted(records, key=lambda each: order_of(each.record_id))
    }
    groups = Groups(known, forbidden)
    links: list[Link] = []

    def link(who: str, whom: str, rule: str) -> None:
        if groups.join(who, whom):
            links.append(Link(who, whom, rule))

    for who, whom in sorted(forced):
        if who in known and whom in known:
            link(who, whom, "forced")
    for record in known.values():
        named = f"learner:{record.learner_id}"
        if record.learner_rule and named in known:
            link(record.record_id, named, record.learner_rule)
    _same_name_and_birth(known.values(), link)
    _same_name(known, groups, link)
    _nicknames(known, groups, link)
    return groups.groups(), links


def _same_name_and_birth(records: Iterable[Record], link: Callable[[str, str, str], None]) -> None:
    first: dict[tuple[str, str], Record] = {}
    exchanged = []
    for record in records:
        if record.name and record.birth and record.birth_either_way:
            hub = first.setdefault((record.name, record.birth_either_way), record)
            if hub is not record and hub.birth == record.birth:
                link(record.record_id, hub.record_id, "name_and_birth_date")
            elif hub is not record:
                exchanged.append((record, hub))
    for record, hub in exchanged:
        link(record.record_id, hub.record_id, "name_and_swapped_birth_date")


def _same_name(known: dict[str, Record], groups: Groups, link: Callable[[str, str, str], None]) -> None:
    """Same name, a birth date unknown: unless two of that name in the account were born on different days."""
    named: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    born = {groups.of(record.record_id) for record in known.values() if record.birth}
    for record in known.values():
        # Two siblings may go by one nickname.
        if record.name and not record.is_nickname:
            named[record.name][groups.of(record.record_id)].append(record)
    for of_name in named.values():
        if len(of_name) > 1 and sum(group in born for group in of_name) <= 1:
            hubs = [of_group[0] for of_group in of_name.values()]
            hub = min(
                hubs, key=lambda each: (groups.of(each.record_id) not in born, order_of(each.record_id))
            )
            for record in hubs:
                if record is not hub:
                    link(record.record_id, hub.record_id, "name_only")


def _nicknames(known: dict[str, Record], groups: Groups, link: Callable[[str, str, str], None]) -> None:
    """Leads under a nickname: of whoever it can mean, if there is one only (by birth date, else at all)."""
    members = {group[0]: [known[each] for each in group] for group in groups.groups()}
    found = []
    for head, leads in members.items():
        if any(record.is_learner for record in leads):
            continue
        exact, possible = [], []
        for other, those in members.items():
            if other != head and (pair := _can_mean(leads, those)):
                births = {each.birth_either_way for each in leads} - {None}
                others = {each.birth_either_way for each in those} - {None}
                if births & others:
                    exact.append(pair)
                elif not births or not others:
                    possible.append(pair)
        if len(exact) == 1:
            found.append((*exact[0], "nickname_and_birth_date"))
        elif not exact and len(possible) == 1:
            found.append((*possible[0], "nickname_only"))
    for who, whom, rule in sorted(found):
        link(who, whom, rule)


def _can_mean(leads: Sequence[Record], those: Sequence[Record]) -> tuple[str, str] | None:
    """A lead and the record that it may mean by a nickname, if any."""
    for lead in leads:
        for record in those:
            if lead.name and record.nickname == lead.name:
                return lead.record_id, record.record_id
    if all(lead.is_nickname for lead in leads):
        for lead in leads:
            for record in those:
                if lead.core and not record.is_nickname and record.core == lead.core:
                    return lead.record_id, record.record_id
    return None
