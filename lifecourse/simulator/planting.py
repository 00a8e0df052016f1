"""Planting faults into a block's tables, with a note of where each one is and what must become of it.

Which rows are struck depends on the seed and the row's key alone, so that a fault is the same
whenever the row is looked at. A row has one fault, or the two of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from lifecourse.simulator.block import Block
from lifecourse.simulator.draw import uniform_hash
from lifecourse.simulator.fault_plan import ROW_RULES, FaultPlan, Kind
from lifecourse.simulator.sheets import DAY, FAR, NEVER, NONE, Flags, Ints, Sheet

#: Text that stands for dates in columns typed by hand; coded as `-1_000_000_000 - number` until it is loaded.
BROKEN_DATES = ("2025-02-30", "2025-13-05", "31/09/2025", "待补", "2024.6.31", "明天")
BROKEN_FROM = -1_000_000_000

#: How far back the pull looks again (`lag` in sources/*.yml); a row later than that is found by comparing keys.
LAG_HOURS = {"touchpoints": 2, "service_requests": 2, "learning_sessions": 6}
#: Most pupils of a lesson that is entered late.
_FEW_PUPILS = 4
DELETED_TABLES = ("touchpoints", "homework", "attendance", "service_requests")
STAMPED_TABLES = ("touchpoints", "homework", "attendance", "surveys")


@dataclass
class Planted:
    """Faults of one kind in one table. They are noted once `since <= moment < until`."""

    kind: Kind
    table: str
    keys: Ints
    expect: str
    since: Ints
    until: Ints
    only_later: bool = False  # not in the first load, where nothing can be late
    details: list[dict[str, object]] | None = None


@dataclass
class Planting:
    """All faults of a block, and per table the rows that must not be struck again."""

    planted: list[Planted] = field(default_factory=list)
    struck: dict[str, Flags] = field(default_factory=dict)


class Planter:
    """Plants the faults of a plan into a block."""

    def __init__(self, block: Block, plan: FaultPlan) -> None:
        self.block, self.plan, self.seed = block, plan, block.world.seed
        self.found = Planting()
        #: Some while before the end of the history, so that what shows must show by then.
        self._early = (block.world.present - 60) * DAY

    def plant(self) -> Planting:
        """Plant everything that is fixed when the block is made (not what a single night brings)."""
        self._note_people()
        self._mistyped_phones()
        self._children_before_parents()
        self._late_rows()
        for pair in self.plan.pairs:
            rows = self._chosen(pair.table, f"{pair.kinds}", pair.rate, self._eligible(pair.kinds[0], pair.table)
                                & self._eligible(pair.kinds[1], pair.table))  # fmt: skip
            for kind in pair.kinds:
                self._strike(kind, pair.table, rows)
        for kind, (_, tables) in ROW_RULES.items():
            for table in tables:
                if self.plan.rate(kind):
                    rows = self._chosen(table, kind, self.plan.rate(kind), self._eligible(kind, table))
                    self._strike(kind, table, rows)
        self._broken_birth_dates()
        return self.found

    # -- choosing -----------------------------------------------------------------------------

    def _sheet(self, table: str) -> Sheet:
        return self.block.sheets[table]

    def _free(self, table: str) -> Flags:
        return ~self.found.struck.setdefault(table, np.zeros(len(self._sheet(table)), dtype=bool))

    def _chosen(self, table: str, salt: str, rate: float, eligible: Flags) -> Ints:
        """Rows struck: those eligible and free whose lot is below the rate. They are marked as struck.

        A kind that is asked for at all occurs at least once, in the first block.
        """
        sheet = self._sheet(table)
        lots = uniform_hash(sheet.keys, self.seed, f"{salt} {table}")
        free = eligible & self._free(table)
        rows = np.flatnonzero((lots < rate) & free)
        if self.block.number == 0 and rate > 0 and not (sheet.visible[rows] < self._early).any():
            soon = np.flatnonzero(free & (sheet.visible < self._early))
            rows = np.union1d(rows, soon[np.argsort(lots[soon])[:1]])
        self.found.struck[table][rows] = True
        return rows

    def _note(self, kind: Kind, table: str, rows: Ints, expect: str, **more: object) -> None:
        sheet = self._sheet(table)
        planted = Planted(
            kind, table, sheet.keys[rows], expect, sheet.visible[rows], np.full(len(rows), NEVER)
        )
        for name, value in more.items():
            setattr(planted, name, value)
        if len(rows):
            self.found.planted.append(planted)

    # -- people -------------------------------------------------------------------------------

    def _note_people(self) -> None:
        for kind, table, keys, details in self.block.doubled:
            sheet = self._sheet(table)
            place = {int(k): i for i, k in enumerate(sheet.keys)}
            rows = np.array([place[int(k)] for k in keys if int(k) in place], dtype=np.int64)
            notes = [d for k, d in zip(keys, details, strict=True) if int(k) in place]
            self._note(Kind(kind), table, rows, "merged", details=notes)

    def _mistyped_phones(self) -> None:
        rate = self.plan.rate(Kind.MISTYPED_PHONE)
        for table, column in (
            ("contacts", "phone"),
            ("learners", "guardian_phone"),
            ("orders", "payer_phone"),
        ):
            if not rate:
                return
            sheet = self._sheet(table)
            known = np.array([p is not None for p in sheet.columns[column]], dtype=bool)
            rows = self._chosen(table, Kind.MISTYPED_PHONE, rate, known)
            how = (uniform_hash(sheet.keys[rows], self.seed, "typo") * 4).astype(np.int64)
            sheet.columns[column][rows] = [
                _mistyped(p, h) for p, h in zip(sheet.columns[column][rows], how, strict=True)
            ]
            self._note(Kind.MISTYPED_PHONE, table, rows, "merged")

    # -- time ---------------------------------------------------------------------------------

    def _children_before_parents(self) -> None:
        """Lessons entered by the office the next day, while attendance is marked at once."""
        rate = self.plan.rate(Kind.CHILD_BEFORE_PARENT)
        if not rate:
            return
        lessons, attendance = self._sheet("lessons"), self._sheet("attendance")
        known, pupils = np.unique(attendance.columns["lesson_id"], return_counts=True)
        of = np.minimum(np.searchsorted(known, lessons.keys), len(known) - 1)
        size = np.where(known[of] == lessons.keys, pupils[of], 0)
        # Such lessons are arranged for a few pupils at short notice.
        few = (size > 0) & (size <= _FEW_PUPILS)
        rows = self._chosen("lessons", Kind.CHILD_BEFORE_PARENT, rate, few)
        if self.block.number == 0:
            rows = np.union1d(rows, self._one_a_day(size))
            self.found.struck["lessons"][rows] = True
        entered = (lessons.columns["starts_at"][rows] // DAY + 1) * DAY + 10 * 3_600
        lessons.created[rows] = lessons.visible[rows] = entered
        keys = lessons.keys[rows]
        # Homework is set once the lesson is there.
        homework = self._sheet("homework")
        of = np.searchsorted(keys, homework.columns["lesson_id"])
        of = np.minimum(of, max(len(keys) - 1, 0))
        if not len(keys):
            return
        after = keys[of] == homework.columns["lesson_id"]
        homework.created[after] = np.maximum(homework.created[after], entered[of[after]] + 300)
        homework.visible[after] = homework.created[after]
        place = np.minimum(np.searchsorted(keys, attendance.columns["lesson_id"]), len(keys) - 1)
        children = np.flatnonzero(keys[place] == attendance.columns["lesson_id"])
        # Marked the same day, or else it is no child before its parent.
        waits = attendance.visible[children] < entered[place[children]]
        self._free("attendance")
        self.found.struck["attendance"][children] = True
        children = children[waits]
        self._note(Kind.CHILD_BEFORE_PARENT, "attendance", children, "merged_next_night",
                   until=entered[place[children]],
                   details=[{"rule": "missing_parent", "parent_table": "lessons", "parent_key": str(k)}
                            for k in keys[place[children]]])  # fmt: skip

    def _one_a_day(self, size: Ints) -> Ints:
        """The smallest lesson of every day on which the block has any, so that no night goes without."""
        lessons = self._sheet("lessons")
        day = lessons.columns["starts_at"] // DAY
        lots = uniform_hash(lessons.keys, self.seed, Kind.CHILD_BEFORE_PARENT)
        order = np.lexsort((lots, size, day))
        order = order[size[order] > 0]
        _, first = np.unique(day[order], return_index=True)
        return np.asarray(order[first])

    def _late_rows(self) -> None:
        """Rows committed the next morning with the change time of the day before."""
        rate = self.plan.rate(Kind.LATE_ROW)
        if not rate:
            return
        for table, hours in LAG_HOURS.items():
            sheet = self._sheet(table)
            within = sheet.created % DAY >= DAY - hours * 3_600
            # The shorter the overlap of the windows, the fewer rows fall into it: more of them are late.
            for near, share in ((True, min(1.0, 8 / hours * rate)), (False, rate)):
                rows = self._chosen(table, f"{Kind.LATE_ROW} {near}", share, within == near)
                sheet.visible[rows] = (sheet.created[rows] // DAY + 1) * DAY + 9 * 3_600
                before = DAY - sheet.created[rows] % DAY
                self._note(Kind.LATE_ROW, table, rows, "merged_next_night" if near else "found_by_key_comparison",
                           only_later=True,
                           details=[{"hours_before_cutoff": round(int(b) / 3_600, 1)} for b in before])  # fmt: skip

    # -- rows that break a rule ----------------------------------------------------------------

    def _eligible(self, kind: Kind, table: str) -> Flags:
        """Rows on which the fault would stand alone: nothing refers to them, nothing overwrites it."""
        sheet = self._sheet(table)
        everything = np.ones(len(sheet), dtype=bool)
        if table == "attendance":
            # A corrected outcome would mend the fault.
            everything &= sheet.changes[0].at >= FAR * DAY
            if kind is Kind.LESSON_BEFORE_ENROLMENT:
                everything &= self._earlier_lesson(np.arange(len(sheet))) != NONE
        elif kind is Kind.NEGATIVE_AMOUNT:
            everything &= sheet.columns["amount"] > 0
        elif table == "payments":
            everything &= ~np.isin(sheet.keys, self._sheet("refunds").columns["payment_id"])
        elif table == "pauses":
            everything &= sheet.columns["to_on"] != NONE
        elif table == "refunds":
            paid, times = np.unique(sheet.columns["payment_id"], return_counts=True)
            everything &= np.isin(sheet.columns["payment_id"], paid[times == 1])
        return everything

    def _strike(self, kind: Kind, table: str, rows: Ints) -> None:
        sheet = self._sheet(table)
        c, keys = sheet.columns, sheet.keys[rows]
        if kind is Kind.NEGATIVE_HOURS:
            c["hours"][rows] = np.where(c["hours"][rows] > 0, -c["hours"][rows], -1.0)
        elif kind is Kind.NEGATIVE_AMOUNT:
            c["amount"][rows] = -c["amount"][rows]
        elif kind is Kind.UNKNOWN_ENUM:
            column, word = {"attendance": ("outcome", "presnet"), "touchpoints": ("channel", "fax"),
                            "surveys": ("kind", "ces"), "payments": ("method", "wecaht")}[table]  # fmt: skip
            c[column][rows] = word
        elif kind is Kind.BROKEN_DATE:
            c["due_on"][rows] = _broken(keys, self.seed)
        elif kind is Kind.REQUIRED_MISSING:
            if table == "service_requests":
                c["learner_id"][rows] = NONE
            else:
                c["channel" if table == "touchpoints" else "outcome"][rows] = None
        elif kind is Kind.ENDS_BEFORE_START:
            c["to_on"][rows] = c["from_on"][rows] - 3
        elif kind is Kind.SCORE_OUT_OF_RANGE:
            c["score"][rows] = np.where(c["kind"][rows] == "nps", 14, 9)
        elif kind is Kind.REFUND_LARGER_THAN_PAYMENT:
            payments = self._sheet("payments")
            amount = dict(zip(payments.keys.tolist(), payments.columns["amount"].tolist(), strict=True))
            c["amount"][rows] = [amount[p] * 3 // 2 + 100 for p in c["payment_id"][rows].tolist()]
        elif kind is Kind.LESSON_BEFORE_ENROLMENT:
            c["lesson_id"][rows] = self._earlier_lesson(rows)
        self._note(kind, table, rows, f"quarantined:{ROW_RULES[kind][0]}")

    def _earlier_lesson(self, rows: Ints) -> Ints:
        """For attendance rows, a lesson of the campus from before the enrolment; `NONE` where there is none."""
        attendance, enrolments, lessons = (self._sheet(t) for t in ("attendance", "enrolments", "lessons"))
        order = np.argsort(enrolments.keys)
        place = order[np.searchsorted(enrolments.keys[order], attendance.columns["enrolment_id"][rows])]
        before = enrolments.columns["enrolled_on"][place] - 10
        old = np.flatnonzero((lessons.changes[1].at < FAR * DAY) & self._free("lessons"))
        old = old[np.argsort(lessons.columns["starts_at"][old], kind="stable")]
        count = np.searchsorted(lessons.columns["starts_at"][old], before * DAY)
        lots = uniform_hash(attendance.keys[rows], self.seed, "earlier lesson")
        pick = np.minimum((lots * count).astype(np.int64), max(len(old) - 1, 0))
        return np.where(count > 0, lessons.keys[old[pick]] if len(old) else NONE, NONE)

    def _broken_birth_dates(self) -> None:
        """A birth date goes to the vault as it was typed; the row is merged, without a year of birth."""
        rate = self.plan.rate(Kind.BROKEN_DATE)
        if rate:
            sheet = self._sheet("learners")
            rows = self._chosen("learners", Kind.BROKEN_DATE, rate, np.ones(len(sheet), dtype=bool))
            sheet.columns["birth_date"][rows] = _broken(sheet.keys[rows], self.seed)
            self._note(Kind.BROKEN_DATE, "learners", rows, "merged")


def _broken(keys: Ints, seed: int) -> Ints:
    return BROKEN_FROM - (uniform_hash(keys, seed, "broken date") * len(BROKEN_DATES)).astype(np.int64)


def _mistyped(phone: str, how: int) -> str:
    """A phone with a digit too few, a digit too many, a letter, or nothing but a note."""
    return [phone[:-1], phone + phone[-1], phone[:5] + "O" + phone[6:], "同上"][how]


def night_lots(keys: Ints, seed: int, kind: Kind, table: str, day: int) -> np.ndarray:
    """Lots of rows for a fault that a single night brings."""
    return uniform_hash(keys, seed, f"{kind} {table} {day}")
