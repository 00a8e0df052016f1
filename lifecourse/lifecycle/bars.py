"""Days as bars of characters: every stretch is seen, however short, and without colour as well as with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True)
class Stretch:
    """Days [first, end) drawn with one character; end None: to the end of the bar."""

    first: date
    end: date | None
    mark: str


@dataclass(frozen=True)
class Axis:
    """The days from first to last (both in it), on so many cells."""

    first: date
    last: date
    cells: int

    @classmethod
    def over(cls, first: date, last: date, width: int) -> Axis:
        """At most `width` cells; a short history gets whole cells per day, a long one whole days per cell."""
        days = (last - first).days + 1
        return cls(first, last, max(1, min(width, days * max(1, min(8, width // days)))))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def cell(self, day: date) -> int:
        return min(self.cells - 1, max(0, (day - self.first).days * self.cells // self.days))

    def days_of(self, cell: int) -> Sequence[date]:
        """The days that a cell stands for; neighbours of a wide day share it."""
        begin = cell * self.days // self.cells
        end = max(begin + 1, -(-(cell + 1) * self.days // self.cells))
        return [self.first + timedelta(days=n) for n in range(begin, min(end, self.days))]

    def bar(self, stretches: Sequence[Stretch], empty: str = " ") -> str:
        """One character per cell: the stretch with most of its days, and no stretch without a cell."""
        marks = []
        for cell in range(self.cells):
            counted: Counter[int] = Counter()
            for day in self.days_of(cell):
                for number, each in enumerate(stretches):
                    if each.first <= day and (each.end is None or day < each.end):
                        counted[number] += 1
            marks.append(counted.most_common(1)[0][0] if counted else None)
        for number, each in enumerate(stretches):
            last = self.last if each.end is None else each.end - timedelta(days=1)
            if number not in marks and each.first <= self.last and last >= self.first:
                marks[self.cell(each.first + (last - each.first) // 2)] = number
        return "".join(empty if number is None else stretches[number].mark for number in marks)

    def ticks(self) -> str:
        """A mark where a month begins, or a year where there is no room for months; years are named."""
        firsts = [
            self.first + timedelta(days=n)
            for n in range(1, self.days)
            if (self.first + timedelta(days=n)).day == 1
        ]
        if len(firsts) * 4 > self.cells:
            firsts = [day for day in firsts if day.month == 1]
        line = [" "] * self.cells
        for day in firsts:
            line[self.cell(day)] = "|"
        for day in firsts:
            after = slice(self.cell(day) + 1, self.cell(day) + 5)
            if day.month == 1 and line[after] == [" "] * 4:
                line[after] = str(day.year)
        return "".join(line)

    def dates(self) -> str:
        """The first and the last day; where both do not fit, the first."""
        first, last = str(self.first), str(self.last)
        if self.cells >= len(first) + len(last) + 1:
            return first + " " * (self.cells - len(first) - len(last)) + last
        return f"{first} .."[: self.cells]
