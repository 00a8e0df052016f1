"""Days on which nobody teaches, terms, and the years of the make-believe institution."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from lifecourse.simulator.sheets import DAY, Ints

EPOCH = date(1970, 1, 1)
#: Days the institution lives up to its first night.
HISTORY_DAYS = 1096
#: Days its future is laid out for, which `advance` then reveals.
FUTURE_DAYS = 180
#: Customers of a block; a block is made by itself, from the seed and its number.
BLOCK = 250

# Public holidays of mainland China as announced or, for years not yet announced, by the lunar calendar.
_SPRING_FESTIVAL = {
    2019: (2, 4, 10), 2020: (1, 24, 30), 2021: (2, 11, 17), 2022: (1, 31, 37), 2023: (1, 21, 27),
    2024: (2, 10, 17), 2025: (1, 28, 35), 2026: (2, 15, 23), 2027: (2, 5, 11), 2028: (1, 25, 31),
    2029: (2, 12, 18), 2030: (2, 2, 8),
}  # fmt: skip
_DRAGON_BOAT = {2019: (6, 7), 2020: (6, 25), 2021: (6, 14), 2022: (6, 3), 2023: (6, 22), 2024: (6, 10),
                2025: (5, 31), 2026: (6, 19), 2027: (6, 9), 2028: (5, 28), 2029: (6, 16), 2030: (6, 5)}  # fmt: skip
_MID_AUTUMN = {2019: (9, 13), 2020: (10, 1), 2021: (9, 21), 2022: (9, 10), 2023: (9, 29), 2024: (9, 17),
               2025: (10, 6), 2026: (9, 25), 2027: (9, 15), 2028: (10, 3), 2029: (9, 22), 2030: (9, 12)}  # fmt: skip


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def as_date(number: int) -> date:
    """The date of a day number."""
    return EPOCH + timedelta(days=int(number))


def end_of(day: date) -> int:
    """The last second of a business day, on the clock in Shanghai."""
    return (day_number(day) + 1) * DAY - 1


def holidays(first: date, last: date) -> dict[int, str]:
    """Day number -> name of the holiday, for the days on which the whole institution is closed."""
    found: dict[int, str] = {}
    for year in range(first.year, last.year + 1):
        found[day_number(date(year, 1, 1))] = "元旦"
        if year in _SPRING_FESTIVAL:
            month, begin, end = _SPRING_FESTIVAL[year]
            start = day_number(date(year, month, begin))
            found.update({start + k: "春节" for k in range(end - begin + 1)})
        found.update({day_number(date(year, 4, 4)) + k: "清明节" for k in range(2)})
        found.update({day_number(date(year, 5, 1)) + k: "劳动节" for k in range(3)})
        for table, name in ((_DRAGON_BOAT, "端午节"), (_MID_AUTUMN, "中秋节")):
            if year in table:
                found[day_number(date(year, *table[year]))] = name
        found.update({day_number(date(year, 10, 1)) + k: "国庆节" for k in range(7)})
    low, high = day_number(first), day_number(last)
    return {day: name for day, name in sorted(found.items()) if low <= day <= high}


@dataclass(frozen=True)
class Term:
    """Half a year of teaching."""

    name: str
    first_day: int
    last_day: int


def terms(first: date, last: date) -> list[Term]:
    """Terms that cover those days: spring from 24 February, autumn from 25 August."""
    found = []
    for year in range(first.year - 1, last.year + 1):
        spring, autumn = date(year, 2, 24), date(year, 8, 25)
        found.append(Term(f"{year}-spring", day_number(spring), day_number(autumn) - 1))
        found.append(Term(f"{year}-autumn", day_number(autumn), day_number(date(year + 1, 2, 24)) - 1))
    return [t for t in found if t.last_day >= day_number(first) and t.first_day <= day_number(last)]


@dataclass(frozen=True)
class World:
    """What fixes everything that ever happens: the seed, how many customers, the first day.

    `customers` people have made contact by the end of the history; a few more follow after it.
    """

    seed: int
    customers: int
    opened_on: date

    @property
    def first_day(self) -> int:
        return day_number(self.opened_on)

    @property
    def present(self) -> int:
        """Last day of the history."""
        return self.first_day + HISTORY_DAYS - 1

    @property
    def last_day(self) -> int:
        """Last day of the future that is laid out."""
        return self.present + FUTURE_DAYS

    @property
    def blocks(self) -> int:
        return -(-self.customers // BLOCK)

    @property
    def campuses(self) -> int:
        """Number of campuses; a block of customers belongs to one."""
        return int(np.clip(4 + self.customers // 10_000, 4, 60))

    def block_size(self, block: int) -> int:
        return min(BLOCK, self.customers - block * BLOCK)

    def campus_of(self, block: int) -> int:
        return block % self.campuses

    def closed(self, campus: int) -> dict[int, str]:
        """Closed days of a campus, those of the whole institution included."""
        return {**self.own_closed_days(campus), **self.holidays()}

    def holidays(self) -> dict[int, str]:
        return holidays(self.opened_on, as_date(self.last_day))

    def own_closed_days(self, campus: int) -> dict[int, str]:
        """Days on which only this campus is closed: a long week-end of repairs and single days."""
        rng = np.random.default_rng([self.seed, 7, campus])
        days: dict[int, str] = {}
        for start in rng.integers(self.first_day + 30, self.last_day, 5):
            days.update({int(start) + k: "场地检修" for k in range(int(rng.integers(1, 4)))})
        common = self.holidays()
        return {d: r for d, r in sorted(days.items()) if d <= self.last_day and d not in common}


def open_days(world: World, campus: int) -> Ints:
    """Days on which a campus teaches."""
    days = np.arange(world.first_day, world.last_day + 1)
    return days[~np.isin(days, np.array(list(world.closed(campus)), dtype=np.int64))]
