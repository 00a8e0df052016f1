"""One customer's lifecycle as it is published: spans, transitions and signals, read from `marts` by a reader's role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.warehouse.connection import Role, Warehouse

Row = TypeVar("Row")

#: The roles that read `marts`. No personal data is there.
READERS = (Role.BI_READER, Role.ANALYST)

HOW_TO_FIND_IDS = (
    "customer ids look like C000000042: `select customer_id, campus_id, current_stage from marts.dim_customer`. "
    "The learner ids of the source systems stand in core.customer_registry (data engineers), not in marts"
)


class NotKnown(LifecourseError):
    """Nothing can be said of this customer, or of this day."""


@dataclass(frozen=True)
class Span:
    """Days [valid_from, valid_to) with one stage and one base stage; valid_to None while open."""

    stage_code: str
    base_stage: str
    customer_kind: str
    became_returning_on: date | None
    run_no: int
    valid_from: date
    valid_to: date | None
    rule_version: str

    def holds(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class Transition:
    """A change in a layer, with its reason, the fact behind it and the version of the rules."""

    transition_on: date
    layer: str
    from_code: str | None
    to_code: str
    reason_code: str
    run_no: int
    cause_table: str
    cause_id: str
    churn_reason: str | None
    churn_reason_class: str | None
    is_churn_reason_inferred: bool | None
    rule_version: str


@dataclass(frozen=True)
class Signal:
    """Days [opened_on, closed_on) on which a risk signal was open, with the figures that opened it."""

    risk_signal_id: str
    signal_code: str
    signal_class: str
    priority: int
    run_no: int
    opened_on: date
    closed_on: date | None
    evidence: Mapping[str, Any]
    rule_version: str

    def holds(self, day: date) -> bool:
        return self.opened_on <= day and (self.closed_on is None or day < self.closed_on)


@dataclass(frozen=True)
class History:
    """A customer from the first contact to the published day, by time."""

    customer_id: str
    campus_id: str | None
    as_of: date
    build_id: str
    spans: tuple[Span, ...]
    transitions: tuple[Transition, ...]
    signals: tuple[Signal, ...]

    @property
    def first_contact_on(self) -> date:
        return self.spans[0].valid_from

    def day_before(self, end: date | None) -> date | None:
        """The last day of what ends before `end`; None while it is open."""
        return end - timedelta(days=1) if end else None

    def span_on(self, day: date) -> Span:
        """The span that holds the day. Raises NotKnown before the first contact and after the published day."""
        if day > self.as_of:
            raise NotKnown(
                f"{day} is after the published day {self.as_of}",
                f"customer {self.customer_id}",
                f"ask for a day up to {self.as_of}, or build the later one (`lifecourse build run`)",
            )
        if day < self.first_contact_on:
            raise NotKnown(
                f"{day} is before the first contact on {self.first_contact_on}",
                f"customer {self.customer_id}",
                f"ask for a day from {self.first_contact_on} to {self.as_of}",
            )
        return next(span for span in self.spans if span.holds(day))

    def signals_on(self, day: date) -> list[Signal]:
        """The signals open on the day, the highest priority first."""
        return sorted((each for each in self.signals if each.holds(day)), key=lambda each: each.priority)

    def led_to(self, day: date, layer: str) -> Transition | None:
        """The last change in the layer up to the day."""
        return next(
            (
                each
                for each in reversed(self.transitions)
                if each.layer == layer and each.transition_on <= day
            ),
            None,
        )

    def run_began_on(self, day: date) -> date | None:
        """The first day of the run that the day lies in; None on days of no run."""
        span = self.span_on(day)
        if span.run_no == 0 or span.base_stage in ("terminated", "dormant"):
            return None
        return min(each.valid_from for each in self.spans if each.run_no == span.run_no)


def read_history(target: Warehouse, customer_id: str, role: Role = Role.BI_READER) -> History:
    """The customer's published lifecycle, all of one publication.

    Raises NotKnown for an id that no published customer has, and when nothing is published yet.
    """
    with target.connect(role) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        try:
            published = connection.execute(
                "select as_of, build_id from marts.publication where is_current"
            ).fetchone()
            if published is None:
                raise NotKnown("nothing is published yet", "schema marts", "`lifecourse build run DAY` first")
            spans = _rows(
                connection,
                Span,
                "select stage_code, base_stage, customer_kind, became_returning_on, run_no, valid_from, valid_to,"
                " rule_version from marts.fct_lifecycle_span where customer_id = %s order by valid_from",
                customer_id,
            )
            if not spans:
                raise NotKnown(
                    "no published customer has this id", f"customer {customer_id}", HOW_TO_FIND_IDS
                )
            campus = connection.execute(
                "select campus_id from marts.fct_lifecycle_span where customer_id = %s limit 1",
                (customer_id,),
            ).fetchone()
            transitions = _rows(
                connection,
                Transition,
                "select transition_on, layer, from_code, to_code, reason_code, run_no, cause_table, cause_id,"
                " churn_reason, churn_reason_class, is_churn_reason_inferred, rule_version"
                " from marts.fct_lifecycle_transition where customer_id = %s order by transition_on, layer",
                customer_id,
            )
            signals = _rows(
                connection,
                Signal,
                "select risk_signal_id, signal_code, signal_class, priority, run_no, opened_on, closed_on, evidence,"
                " rule_version from marts.fct_risk_signal where customer_id = %s order by opened_on, priority",
                customer_id,
            )
        except psycopg.Error as error:
            raise LifecourseError(
                f"the timeline cannot be read: {sanitised(error)}", "schema marts", "`lifecourse doctor`"
            ) from None
    return History(
        customer_id=customer_id,
        campus_id=campus[0] if campus else None,
        as_of=published[0],
        build_id=published[1],
        spans=tuple(spans),
        transitions=tuple(transitions),
        signals=tuple(signals),
    )


def _rows(
    connection: psycopg.Connection[tuple[Any, ...]], kind: type[Row], query: str, customer_id: str
) -> list[Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query.encode(), (customer_id,)).fetchall()
