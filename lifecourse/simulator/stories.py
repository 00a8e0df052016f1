"""What becomes of people: when they buy, how long they stay, what goes wrong, how they leave.

A story is planned from the end: a run of purchases has a day on which the customer means to be
gone and, for most who leave for a reason, trouble that begins five to fourteen weeks before.
Purchases and lessons then fill the run, so that the signs of trouble are in the facts, and the
facts alone. A few who stay have a bad spell as well, and some leave without a sign.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lifecourse.simulator import catalogue
from lifecourse.simulator.almanac import World
from lifecourse.simulator.draw import Rng, chance, generator, pick, uniform
from lifecourse.simulator.households import (
    BARGAIN,
    BUYER,
    DRIFTER,
    LEAD_ONLY,
    MOVER,
    PAUSER,
    STEADY,
    STRIVER,
    STRUGGLER,
    TRIALLED,
    TYPES,
    UNHAPPY,
    People,
)
from lifecourse.simulator.sheets import FAR, Column, Flags, Ints, ragged, running_sum
from lifecourse.simulator.timetable import Timetable

# Signs of trouble, as bits.
ABSENCES, HOMEWORK, USAGE, COMPLAINT, DETRACTOR, REFUND_REQUEST = 1, 2, 4, 8, 16, 32
# How a run ends.
LAPSED, WITHDREW, REFUNDED = range(3)
ENDINGS = ("lapsed", "withdrew", "refunded")
# Lesson outcomes.
OUTCOMES = ("attended", "late", "left_early", "made_up", "absent", "leave")
ABSENT, LEAVE = 4, 5
PERIOD, PACKAGE = range(2)
#: Most stays of one person.
MOST_RUNS = 3

#: Per hidden type: shortest and longest stay in days, chances of the three endings, chance of coming back.
_STAY = np.array(
    [(420, 1800), (240, 620), (90, 380), (60, 420), (110, 480), (90, 650), (60, 330), (300, 1300)]
)
_ENDING = np.array([(0.85, 0.1, 0.05), (1, 0, 0), (0.6, 0.28, 0.12), (0.3, 0.3, 0.4), (0.85, 0.05, 0.1),
                    (0.1, 0.5, 0.4), (0.9, 0.06, 0.04), (0.9, 0.1, 0)])  # fmt: skip
_RETURN = np.array([0.25, 0.12, 0.18, 0.12, 0.5, 0.04, 0.28, 0.4])
#: Per hidden type: chance of each sign (in the order of the bits) in the weeks before leaving.
_SIGNS = np.array([
    (0.15, 0.15, 0.15, 0.05, 0.08, 0.02),
    (0.05, 0.1, 0.1, 0.0, 0.02, 0.0),
    (0.75, 0.8, 0.65, 0.12, 0.3, 0.1),
    (0.4, 0.35, 0.35, 0.75, 0.65, 0.25),
    (0.15, 0.25, 0.3, 0.1, 0.2, 0.1),
    (0.08, 0.08, 0.1, 0.0, 0.03, 0.0),
    (0.3, 0.4, 0.95, 0.02, 0.1, 0.0),
    (0.3, 0.25, 0.4, 0.05, 0.1, 0.02),
])  # fmt: skip
_REASONS: dict[int, tuple[list[str], list[float]]] = {
    STEADY: (["unknown", "moved", "price", "graduated"], [0.4, 0.2, 0.2, 0.2]),
    STRIVER: (["goal_reached", "graduated"], [0.7, 0.3]),
    STRUGGLER: (["effect_doubt", "dissatisfied"], [0.8, 0.2]),
    UNHAPPY: (["dissatisfied", "competitor", "pushed_away"], [0.7, 0.2, 0.1]),
    BARGAIN: (["price", "competitor"], [0.75, 0.25]),
    MOVER: (["moved"], [1.0]),
    DRIFTER: (["unknown", "effect_doubt"], [0.7, 0.3]),
    PAUSER: (["unknown", "graduated", "moved"], [0.6, 0.3, 0.1]),
}


@dataclass
class Enquiries:
    """How each person came in, per person; days that never come are `FAR`."""

    has_trial: Flags
    trial_shows: Flags
    trial_booked_on: Ints
    trial_on: Ints
    bought_on: Ints


@dataclass
class Runs:
    """Stays from first purchase to leaving: one row per person and stay."""

    person: Ints
    number: Ints
    first_day: Ints
    last_day: Ints  # last day of entitlement; FAR while it goes on
    ending: Ints
    reason: Column
    trouble_from: Ints  # FAR without trouble
    signs: Ints


@dataclass
class Lines:
    """Rights to learn that are bought: one row per order line."""

    person: Ints
    run: Ints  # row of Runs
    track: Ints  # 0 main subject, 1 second subject
    bought_on: Ints
    starts_on: Ints
    ends_on: Ints  # last day of a period, expiry of a package (FAR: none)
    kind: Ints
    self_paced: Flags
    course: Ints
    lessons: Ints
    gift_lessons: Ints
    last_day: Ints  # last entitled day as it turned out; FAR while it goes on
    cut_on: Ints
    cut_by: Ints
    shares_order: Ints  # line whose order this one is part of, -1: an order of its own

    def __len__(self) -> int:
        return len(self.person)


@dataclass
class Outcomes:
    """What happened at lessons: one row per line and lesson, of `day`."""

    line: Ints
    lesson: Ints
    outcome: Ints


@dataclass
class Spell:
    """A bad spell per person that passes again."""

    first_day: Ints
    last_day: Ints
    signs: Ints


@dataclass
class Stories:
    """The stories of a block."""

    enquiries: Enquiries
    runs: Runs
    lines: Lines
    outcomes: Outcomes
    spell: Spell
    pause_from: Ints  # people x 3
    pause_to: Ints

    def troubled(self, run: Ints, day: Ints, sign: int) -> Flags:
        """Whether a sign of trouble shows on a day of a run (rows of Runs)."""
        person = self.runs.person[run]
        leaving = ((self.runs.signs[run] & sign) > 0) & (day >= self.runs.trouble_from[run])
        return leaving | self._in_spell(person, day, sign)

    def _in_spell(self, person: Ints, day: Ints, sign: int) -> Flags:
        s = self.spell
        return ((s.signs[person] & sign) > 0) & (day >= s.first_day[person]) & (day <= s.last_day[person])

    def paused(self, person: Ints, day: Ints) -> Flags:
        return _paused(self.pause_from, self.pause_to, person, day)


def _paused(first: Ints, last: Ints, person: Ints, day: Ints) -> Flags:
    found = np.zeros(len(day), dtype=bool)
    for k in range(first.shape[1]):
        found |= (day >= first[person, k]) & (day <= last[person, k])
    return found


def enquiries_of(rng: Rng, world: World, people: People) -> Enquiries:
    """Trials and the day of the first purchase."""
    n = len(people)
    reach = people.reach
    shows = reach != LEAD_ONLY
    has_trial = (reach == TRIALLED) | chance(rng, np.where(reach == BUYER, 0.85, 0.35), n)
    booked = people.first_day + 1 + rng.exponential(3, n).astype(np.int64)
    trial = booked + uniform(rng, n, 2, 9)
    wait = (
        1
        + rng.exponential(8, n).astype(np.int64)
        + np.where(chance(rng, 0.08, n), uniform(rng, n, 60, 240), 0)
    )
    bought = np.where(has_trial, trial, people.first_day + 1) + wait
    bought = np.where((reach == BUYER) & (bought <= world.last_day), bought, FAR)
    return Enquiries(
        has_trial,
        shows & has_trial,
        np.where(has_trial, booked, FAR),
        np.where(has_trial, trial, FAR),
        bought,
    )


def _pauses(rng: Rng, people: People, bought: Ints) -> tuple[Ints, Ints]:
    n = len(people)
    many = np.where(
        people.hidden_type == PAUSER, uniform(rng, n, 1, 3), chance(rng, 0.06, n).astype(np.int64)
    )
    first = np.full((n, 3), FAR, dtype=np.int64)
    last = np.full((n, 3), FAR, dtype=np.int64)
    begin = bought + uniform(rng, n, 45, 200)
    for k in range(3):
        length = uniform(rng, n, 14, 80)
        here = (many > k) & (bought < FAR)
        first[here, k] = begin[here]
        last[here, k] = (begin + length)[here]
        begin = begin + length + uniform(rng, n, 60, 260)
    return first, last


@dataclass
class _Books:
    """Lines and outcomes as they grow."""

    lines: list[dict[str, Ints]] = field(default_factory=list)
    outcomes: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)
    count: int = 0

    def add(self, line: dict[str, Ints], outcomes: tuple[Ints, Ints, Ints] | None) -> None:
        if outcomes is not None:
            owner, lesson, outcome = outcomes
            self.outcomes.append((owner + self.count, lesson, outcome))
        self.lines.append(line)
        self.count += len(line["person"])


class Teller:
    """Tells the stories of one block."""

    def __init__(self, world: World, people: People, timetable: Timetable) -> None:
        self.world, self.people, self.timetable = world, people, timetable
        self.rng = generator(world.seed, people.block, "stories")
        self.end = world.last_day
        n = len(people)
        rng = self.rng
        self.enquiries = enquiries_of(rng, world, people)
        self.pause_from, self.pause_to = _pauses(rng, people, self.enquiries.bought_on)
        begin = self.enquiries.bought_on + uniform(rng, n, 40, 420)
        spelled = chance(rng, 0.3, n)
        signs = np.asarray(pick(rng, n, [ABSENCES, HOMEWORK, USAGE, COMPLAINT, DETRACTOR, REFUND_REQUEST,
                                         ABSENCES | HOMEWORK, USAGE | COMPLAINT]), dtype=np.int64)  # fmt: skip
        self.spell = Spell(begin, begin + uniform(rng, n, 35, 75), np.where(spelled, signs, 0))
        offered = np.unique(timetable.course // 3)
        children = [int(s) for s in offered if s not in catalogue.ADULT_SUBJECTS]
        adult = [int(s) for s in offered if s in catalogue.ADULT_SUBJECTS]
        self.subject = np.where(people.is_adult, pick(rng, n, adult), pick(rng, n, children))
        second = pick(rng, n, children)
        clash = second == self.subject
        second = np.where(
            clash, np.array(children)[(np.searchsorted(children, second) + 1) % len(children)], second
        )
        self.second_subject = np.where(people.is_adult, -1, second)
        study = catalogue.CLASS_COURSES + np.where(
            people.is_adult,
            pick(rng, n, list(catalogue.ADULT_SELF_STUDY)),
            pick(rng, n, list(catalogue.CHILD_SELF_STUDY)),
        )
        self.self_study = np.where((people.hidden_type == DRIFTER) | chance(rng, 0.12, n), study, -1)
        self.level = np.asarray(pick(rng, n, [0, 1, 2], [0.7, 0.25, 0.05]), dtype=np.int64)
        most = MOST_RUNS * n
        far = np.full((7, most), FAR, dtype=np.int64)
        self.runs = Runs(far[0], far[1], far[2], far[3], far[4], np.empty(0, dtype=object), far[5], far[6])
        self.run_count = 0
        self.goes = np.full(most, FAR, dtype=np.int64)  # planned day of leaving, per run
        self.ending = np.full(most, LAPSED, dtype=np.int64)  # planned ending, per run

    # -- runs ---------------------------------------------------------------------------------

    def _open_runs(self, who: Ints, first: Ints, number: Ints) -> Ints:
        """Plan a run for each of `who`: the day they mean to be gone, how, and with what signs."""
        rng, kind, n = self.rng, self.people.hidden_type[who], len(who)
        low, high = _STAY[kind].T
        stay = low + (rng.random(n) * (high - low)).astype(np.int64)
        goes = first + np.where(number > 1, (stay * 0.6).astype(np.int64), stay)
        row = self.run_count + np.arange(n)
        self.run_count += n
        signs = (rng.random((n, 6)) < _SIGNS[kind]) @ np.array([1, 2, 4, 8, 16, 32])
        trouble = np.maximum(goes - uniform(rng, n, 35, 100), first + 20)
        self.goes[row] = goes
        self.ending[row] = (rng.random(n)[:, None] > np.cumsum(_ENDING[kind], axis=1)).sum(axis=1).clip(0, 2)
        self.runs.person[row], self.runs.number[row], self.runs.first_day[row] = who, number, first
        self.runs.signs[row] = signs
        self.runs.trouble_from[row] = np.where(signs > 0, trouble, FAR)
        return row

    def tell(self) -> Stories:
        """Purchase by purchase, all people of the block at once."""
        rng, n, books = self.rng, len(self.people), _Books()
        runs = self.runs
        due = self.enquiries.bought_on.copy()
        start_after = due.copy()
        opens = due <= self.end
        run_row = np.full(n, -1, dtype=np.int64)
        number = np.zeros(n, dtype=np.int64)
        while len(who := np.flatnonzero(due <= self.end)):
            fresh = who[opens[who]]
            if len(fresh):
                number[fresh] += 1
                run_row[fresh] = self._open_runs(fresh, due[fresh], number[fresh])
                opens[fresh] = False
            row = run_row[who]
            hidden = self.people.hidden_type[who]
            course = np.where(
                self.self_study[who] >= 0, self.self_study[who], self.subject[who] * 3 + self.level[who]
            )
            goes, ending = self.goes[row], self.ending[row]
            tries = (due[who] == self.enquiries.bought_on[who]) & chance(rng, 0.3, len(who))
            line, outcomes, done = self._line(
                who, course, due[who], start_after[who], goes - due[who], goes, ending, row, 0, tries
            )
            books.add(line, outcomes)
            last = line["last_day"]
            in_class = done & (course < catalogue.CLASS_COURSES)
            striver = hidden == STRIVER
            gone = (line["cut_on"] < FAR) | ((ending == LAPSED) & (last >= goes - 25))
            gone |= in_class & (course % 3 == 2) & striver
            self.level[who] = np.minimum(
                self.level[who] + (in_class & (striver | chance(rng, 0.5, len(who)))), 2
            )
            early = np.where(
                chance(rng, 0.75, len(who)), -uniform(rng, len(who), 0, 40), uniform(rng, len(who), 1, 24)
            )
            renewal = np.maximum(last + early, due[who] + 7)
            returns = chance(rng, _RETURN[hidden], len(who)) & (number[who] < MOST_RUNS)
            comeback = np.where(returns, last + 36 + rng.exponential(150, len(who)).astype(np.int64), FAR)
            runs.last_day[row] = np.where(gone, last, FAR)
            runs.ending[row] = line["cut_by"]
            due[who] = np.where(last >= FAR, FAR, np.where(gone, comeback, renewal))
            start_after[who] = np.where(gone, due[who] + 1, np.maximum(last, due[who]) + 1)
            opens[who] = gone
        for name in ("person", "number", "first_day", "last_day", "ending", "trouble_from", "signs"):
            setattr(runs, name, getattr(runs, name)[: self.run_count])
        runs.trouble_from = np.where(runs.trouble_from < runs.last_day, runs.trouble_from, FAR)
        runs.reason = np.empty(self.run_count, dtype=object)
        for kind, (words, weights) in _REASONS.items():
            here = self.people.hidden_type[runs.person] == kind
            runs.reason[here] = pick(rng, int(here.sum()), words, weights)
        self._second_subject(books, runs)
        lines = {k: np.concatenate([part[k] for part in books.lines]) for k in books.lines[0]}
        owner, lesson, outcome = (np.concatenate(x) for x in zip(*books.outcomes, strict=True))
        pause_from, pause_to = self._within_runs(runs)
        return Stories(
            self.enquiries,
            runs,
            Lines(**{k: (v.astype(bool) if k == "self_paced" else v) for k, v in lines.items()}),
            Outcomes(owner, lesson, outcome),
            self.spell,
            pause_from,
            pause_to,
        )

    def _within_runs(self, runs: Runs) -> tuple[Ints, Ints]:
        """Pauses that lie within a run; the others never came about."""
        keep = np.zeros(self.pause_from.shape, dtype=bool)
        for k in range(3):
            first, last = self.pause_from[runs.person, k], self.pause_to[runs.person, k]
            inside = (first > runs.first_day + 14) & (last < runs.last_day) & (first < FAR)
            np.logical_or.at(keep, (runs.person, np.full(len(inside), k)), inside)
        return np.where(keep, self.pause_from, FAR), np.where(keep, self.pause_to, FAR)

    def _second_subject(self, books: _Books, runs: Runs) -> None:
        """A second subject beside the first, for some who stay; it never outlasts the first."""
        rng = self.rng
        stays = (runs.last_day - runs.first_day > 160) & (self.second_subject[runs.person] >= 0)
        row = np.flatnonzero(stays & chance(rng, 0.38, len(stays)))
        main = {k: np.concatenate([part[k] for part in books.lines]) for k in ("run", "bought_on")}
        due = runs.first_day[row] + uniform(rng, len(row), 60, 150)
        # Some add the subject when they renew the first one: two lines of one order.
        with_main = np.full(len(row), -1, dtype=np.int64)
        for i in np.flatnonzero(chance(rng, 0.4, len(row))):
            own = np.flatnonzero((main["run"] == row[i]) & (main["bought_on"] > runs.first_day[row[i]] + 30))
            if len(own):
                with_main[i] = own[0]
                due[i] = main["bought_on"][own[0]]
        level = np.zeros(len(row), dtype=np.int64)
        for _ in range(8):
            active = np.flatnonzero((due <= self.end) & (due < runs.last_day[row] - 45))
            if not len(active):
                return
            r = row[active]
            who = runs.person[r]
            goes = np.where((runs.ending[r] != LAPSED) & (runs.last_day[r] < FAR), runs.last_day[r] + 1, FAR)
            line, outcomes, done = self._line(
                who, self.second_subject[who] * 3 + level[active], due[active], due[active] + 1,
                runs.last_day[r] - due[active], goes, np.where(goes < FAR, runs.ending[r], LAPSED), r, 1,
                np.zeros(len(active), dtype=bool),
            )  # fmt: skip
            line["shares_order"] = with_main[active]
            fits = line["last_day"] <= runs.last_day[r]
            kept = np.flatnonzero(fits)
            new_row = np.full(len(active), -1, dtype=np.int64)
            new_row[kept] = np.arange(len(kept))
            if outcomes is not None:
                stays_in = fits[outcomes[0]]
                outcomes = (new_row[outcomes[0][stays_in]], outcomes[1][stays_in], outcomes[2][stays_in])
            books.add({k: v[kept] for k, v in line.items()}, outcomes)
            level[active] = np.minimum(level[active] + done, 2)
            last = line["last_day"]
            again = fits & (last < FAR) & (line["cut_on"] >= FAR)
            due[active] = np.where(
                again, np.maximum(last - uniform(rng, len(active), -15, 20), due[active] + 7), FAR
            )
            with_main[:] = -1

    # -- lines ---------------------------------------------------------------------------------

    def _line(
        self, who: Ints, course: Ints, bought: Ints, start_after: Ints, left: Ints,
        goes: Ints, ending: Ints, run: Ints, track: int, tries: Flags,
    ) -> tuple[dict[str, Ints], tuple[Ints, Ints, Ints] | None, Flags]:  # fmt: skip
        """A line for each of `who`, the outcomes of its lessons, and whether it was used up.

        `left`: days until the customer means to be gone; `goes`: the day itself, on which a line
        still running is cut if `ending` is a withdrawal or a refund. Who `tries` buys a small package.
        """
        rng, timetable, n = self.rng, self.timetable, len(who)
        paced = course >= catalogue.CLASS_COURSES
        stream = np.where(paced, 0, timetable.stream_of[np.minimum(course, catalogue.CLASS_COURSES - 1)])
        kind = np.where(~paced & (tries | chance(rng, 0.72, n)), PACKAGE, PERIOD)
        short = left < 140
        lessons = np.where(short, np.asarray(pick(rng, n, [10, 16])), np.asarray(
            pick(rng, n, [16, 24, 30, 40], [0.25, 0.4, 0.2, 0.15])))  # fmt: skip
        lessons = np.where(tries, 6, lessons)
        gifts = np.where(chance(rng, 0.3, n) & ~tries, uniform(rng, n, 1, 4), 0)
        days = np.where(paced, np.where(short, np.asarray(pick(rng, n, [30, 90])), np.asarray(
            pick(rng, n, [90, 180, 365], [0.45, 0.35, 0.2]))), np.where(short, 91, np.asarray(
                pick(rng, n, [91, 182], [0.6, 0.4]))))  # fmt: skip
        later = uniform(rng, n, 0, 9) + np.where(chance(rng, 0.1, n), uniform(rng, n, 14, 40), 0)
        wanted = np.where(paced, start_after, np.maximum(start_after + later, bought + 1))
        first = timetable.lesson_from(stream, wanted)
        none_left = first >= timetable.end[stream]
        first_lesson_day = np.where(none_left, FAR, timetable.day[np.minimum(first, len(timetable.day) - 1)])
        starts = np.where(paced, wanted, np.minimum(first_lesson_day, np.maximum(wanted, self.end + 7)))
        package = kind == PACKAGE
        ends = np.where(package, np.where(chance(rng, 0.25, n), FAR, bought + 720), starts + days - 1)
        total = lessons + gifts
        count = np.where(package, 3 * total + 15, timetable.lesson_from(stream, ends + 1) - first)
        count = np.where(paced | none_left, 0, np.minimum(count, timetable.end[stream] - first))
        ran_out = package & (first + count >= timetable.end[stream])
        owner, position = ragged(count)
        lesson = first[owner] + position
        day = timetable.day[lesson] if len(lesson) else lesson
        outcome = self._draw_outcomes(who[owner], run[owner], day)
        present = (outcome < ABSENT) & ~_paused(self.pause_from, self.pause_to, who[owner], day)
        held = ~_paused(self.pause_from, self.pause_to, who[owner], day) & (day <= ends[owner])
        present &= held
        used = running_sum(present.astype(np.int64), owner, count) if len(owner) else position
        held &= ~package[owner] | (used - present < total[owner])
        done = np.zeros(n, dtype=bool)
        last_use = np.zeros(n, dtype=np.int64)
        np.maximum.at(last_use, owner[held & present], day[held & present])
        full = np.zeros(n, dtype=np.int64)
        np.maximum.at(full, owner, used)
        done = package & (full >= total)
        last = np.where(
            package, np.where(done, last_use, np.where(ran_out & (ends > self.end), FAR, ends)), ends
        )
        cut_on = np.where(
            (ending != LAPSED) & (goes <= last) & (goes > bought + 3) & (goes <= self.end + 60), goes, FAR
        )
        held &= day < cut_on[owner]
        done &= cut_on >= FAR
        done |= (kind == PERIOD) & (cut_on >= FAR)
        line = {
            "person": who, "run": run, "track": np.full(n, track), "bought_on": bought, "starts_on": starts,
            "ends_on": ends, "kind": kind, "self_paced": paced.astype(np.int64), "course": course,
            "lessons": np.where(package, lessons, 0), "gift_lessons": np.where(package, gifts, 0),
            "last_day": np.where(cut_on < FAR, cut_on - 1, last), "cut_on": cut_on,
            "cut_by": np.where(cut_on < FAR, ending, LAPSED), "shares_order": np.full(n, -1),
        }  # fmt: skip
        kept = np.flatnonzero(held)
        return line, (owner[kept], lesson[kept], outcome[kept]), done

    def _draw_outcomes(self, person: Ints, run: Ints, day: Ints) -> Ints:
        rng, n = self.rng, len(person)
        bad = self._bad(person, run, day)
        steady = self.people.hidden_type[person] == STEADY
        absent = np.where(bad, 0.62, np.where(steady, 0.02, 0.045))
        leave = np.where(bad, 0.1, 0.05)
        u = rng.random(n)
        rest = (u - absent - leave) / (1 - absent - leave)
        shade = np.select([rest < 0.05, rest < 0.065, rest < 0.085], [1, 2, 3], 0)
        return np.where(u < absent, ABSENT, np.where(u < absent + leave, LEAVE, shade))

    def _bad(self, person: Ints, run: Ints, day: Ints) -> Flags:
        """Whether lessons are missed: in trouble before leaving, or in a bad spell."""
        s = self.spell
        spell = (
            ((s.signs[person] & ABSENCES) > 0) & (day >= s.first_day[person]) & (day <= s.last_day[person])
        )
        return ((self.runs.signs[run] & ABSENCES) > 0) & (day >= self.runs.trouble_from[run]) | spell


def type_name(hidden_type: Ints) -> Column:
    """Names of hidden types."""
    return np.array(TYPES, dtype=object)[hidden_type]
