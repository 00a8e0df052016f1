"""The simulated institution's facts as the lifecycle page wants them, straight from the simulated rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lifecourse.simulator.almanac import EPOCH, World
from lifecourse.simulator.fault_plan import FaultPlan
from lifecourse.simulator.sheets import DAY, FAR, NONE
from lifecourse.simulator.world import blocks, frame_sheets
from tests.reference.lifecycle_reference import (
    Complaint,
    History,
    Homework,
    Institution,
    Line,
    Outcome,
    Pause,
    RefundRequest,
    Response,
)

_FIRST = EPOCH.toordinal()
Rows = list[dict[str, Any]]


def _rows(state: Any) -> Rows:
    names = list(state.columns)
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*(state.columns[n].tolist() for n in names), strict=True)
    ]


def _day(number: int) -> int | None:
    return None if number in (NONE, FAR) else number + _FIRST


def _on(instant: int) -> int | None:
    return None if instant == NONE else instant // DAY + _FIRST


def institution_of(world: World, moment: int) -> Institution:
    """Closed days known at a moment."""
    for sheet in frame_sheets(world):
        if sheet.table == "closed_days":
            rows = _rows(sheet.state(moment))
            return Institution(
                tuple(
                    (None if r["campus_id"] == NONE else str(r["campus_id"]), r["closed_on"] + _FIRST)
                    for r in rows
                )
            )
    raise AssertionError("no closed days")


def histories(world: World, moment: int, plan: FaultPlan | None = None) -> Iterator[History]:
    """One history per learner who is known at the moment."""
    for block, _ in blocks(world, plan or FaultPlan()):
        tables = {name: _rows(sheet.state(moment)) for name, sheet in block.sheets.items()}
        yield from _histories(tables)


def _group(rows: Rows, key: str = "learner_id") -> dict[Any, Rows]:
    found: dict[Any, Rows] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _histories(tables: dict[str, Rows]) -> Iterator[History]:
    paid: dict[int, int] = {}
    for p in tables["payments"]:
        if p["status"] == "succeeded":
            day = _on(p["paid_at"])
            assert day is not None
            paid[p["order_id"]] = min(day, paid.get(p["order_id"], day))
    enrolments = _group(tables["enrolments"], "order_line_id")
    refunds = _group(tables["refunds"], "order_line_id")
    lines = _group(tables["order_lines"], "order_id")
    starts = {r["lesson_id"]: r["starts_at"] for r in tables["lessons"]}
    line_of = {r["enrolment_id"]: r["order_line_id"] for r in tables["enrolments"]}
    by = {
        name: _group(tables[name])
        for name in ("orders", "attendance", "learning_sessions", "homework", "complaints", "surveys", "pauses",
                     "enrolments", "touchpoints", "leads")
    }  # fmt: skip
    for learner in tables["learners"]:
        key = learner["learner_id"]
        own = [(o, line) for o in by["orders"][key] for line in lines[o["order_id"]]]
        yield History(
            str(key),
            str(learner["campus_id"]),
            contacts=tuple(
                d
                for d in [
                    _on(learner["registered_at"]),
                    *(_on(r["created_at"]) for r in by["leads"][key]),
                    *(_on(r["occurred_at"]) for r in by["touchpoints"][key]),
                ]
                if d is not None
            ),
            lines=tuple(
                found
                for order, line in own
                if (found := _line(order, line, paid, enrolments, refunds)) is not None
            ),
            outcomes=tuple(
                Outcome(
                    str(line_of[r["enrolment_id"]]),
                    datetime.fromtimestamp(starts[r["lesson_id"]] - 8 * 3_600, UTC),
                    r["outcome"] if r["outcome"] in ("absent", "leave") else "attended",
                    Decimal(str(r["hours"])),
                )
                for r in by["attendance"][key]
            ),
            study=tuple(
                d for r in by["learning_sessions"][key] if r["activity_count"] and (d := _on(r["started_at"]))
            ),
            homework=tuple(
                Homework(r["due_on"] + _FIRST, _on(r["submitted_at"])) for r in by["homework"][key]
            ),
            complaints=tuple(
                Complaint(_on(r["opened_at"]) or 0, _on(r["closed_at"])) for r in by["complaints"][key]
            ),
            nps=tuple(
                Response(datetime.fromtimestamp(r["responded_at"] - 8 * 3_600, UTC), r["score"])
                for r in by["surveys"][key]
                if r["kind"] == "nps"
            ),
            refund_requests=tuple(
                RefundRequest(_on(r["requested_at"]) or 0, _on(r["resolved_at"]))
                for _, line in own
                for r in refunds[line["order_line_id"]]
            ),
            pauses=tuple(Pause(r["from_on"] + _FIRST, _day(r["to_on"])) for r in by["pauses"][key]),
        )


def _line(
    order: dict[str, Any], line: dict[str, Any], paid: dict[int, int], enrolments: Any, refunds: Any
) -> Line | None:
    granted = _day(line["granted_on"]) if line["is_gift"] == 1 else paid.get(order["order_id"])
    if granted is None:
        return None
    cuts = [
        (d, "refunded")
        for r in refunds[line["order_line_id"]]
        if r["is_whole_line"] == 1 and r["resolution"] == "paid" and (d := _on(r["resolved_at"]))
    ] + [
        (e["withdrawn_on"] + _FIRST, "withdrew")
        for e in enrolments[line["order_line_id"]]
        if e["withdrawn_on"] != NONE
    ]
    cut = min(cuts, default=None)
    package = line["kind"] == "package"
    return Line(
        str(line["order_line_id"]),
        str(order["order_id"]),
        line["is_gift"] == 1,
        "package" if package else "period",
        granted,
        _day(line["starts_on"]),
        _day(line["ends_on"]),
        Decimal(str(line["paid_hours"] + line["gift_hours"])) if package else None,
        line["delivery"],
        cut[0] if cut else None,
        cut[1] if cut else None,  # type: ignore[arg-type]
    )
