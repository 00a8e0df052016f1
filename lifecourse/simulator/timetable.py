"""Classes and lessons of a block: a stream per course, cut into terms; closed days are skipped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifecourse.simulator import catalogue
from lifecourse.simulator.almanac import World, open_days, terms
from lifecourse.simulator.draw import generator
from lifecourse.simulator.sheets import DAY, Column, Floats, Ints

_STRIDE = 100_000  # of stream numbers in search keys; more than any day number


@dataclass
class Timetable:
    """Lessons of a block, sorted by stream and start; a stream is the course taught at set hours.

    Classes are streams within a term: class number `stream * terms + term`.
    """

    course: Ints  # per stream
    stream_of: Ints  # per class course: its stream
    stream: Ints  # per lesson
    day: Ints  # per lesson
    starts_at: Ints  # per lesson
    hours: Floats  # per lesson
    term: Ints  # per lesson
    first: Ints  # per stream: its first lesson
    end: Ints  # per stream: one after its last lesson
    term_names: Column
    term_first: Ints
    term_last: Ints

    def lesson_from(self, stream: Ints, day: Ints) -> Ints:
        """First lesson of the stream on or after a day (may be the stream's end)."""
        return np.searchsorted(
            self.stream * _STRIDE + self.day, stream * _STRIDE + np.minimum(day, _STRIDE - 1)
        )

    def class_of(self, lesson: Ints) -> Ints:
        return self.stream[lesson] * len(self.term_first) + self.term[lesson]


def timetable_of(world: World, block: int) -> Timetable:
    """The lessons that a block's campus lays on for it, whether or not somebody will come."""
    rng = generator(world.seed, block, "timetable")
    days = open_days(world, world.campus_of(block))
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    children = rng.choice(len(catalogue.CHILD_SUBJECTS), 4, replace=False)
    offered = sorted([*map(int, children), int(rng.choice(catalogue.ADULT_SUBJECTS))])
    course: list[int] = []
    parts = []
    stream_of = np.full(catalogue.CLASS_COURSES, -1, dtype=np.int64)
    for subject in offered:
        weekly = catalogue.SUBJECTS[subject].weekly
        for level in range(3):
            number = len(course)
            stream_of[subject * 3 + level] = number
            course.append(subject * 3 + level)
            first = int(rng.choice([0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6]))
            on = [first] if weekly == 1 else [first, (first + 3) % 7]
            held = days[np.isin(weekday, on)]
            weekend = ((held + 3) % 7) >= 5
            hour = np.where(
                weekend, float(rng.choice([9, 10.5, 14, 15.5, 19])), float(rng.choice([17.5, 18.5, 19]))
            )
            parts.append((np.full(len(held), number), held, held * DAY + (hour * 3600).astype(np.int64),
                          np.full(len(held), catalogue.SUBJECTS[subject].lesson_hours)))  # fmt: skip
    stream, day, starts_at, hours = (np.concatenate(x) for x in zip(*parts, strict=True))
    known = terms(world.opened_on, world.opened_on.fromordinal(world.opened_on.toordinal() + 1_400))
    term_first = np.array([t.first_day for t in known])
    counts = np.bincount(stream, minlength=len(course))
    end = np.cumsum(counts)
    return Timetable(
        course=np.array(course),
        stream_of=stream_of,
        stream=stream,
        day=day,
        starts_at=starts_at,
        hours=hours,
        term=np.searchsorted(term_first, day, side="right") - 1,
        first=end - counts,
        end=end,
        term_names=np.array([t.name for t in known], dtype=object),
        term_first=term_first,
        term_last=np.array([t.last_day for t in known]),
    )
