"""Which faults the simulated systems have, and how often: a YAML file that anybody can replace.

```yaml
faults:                 # kind: share of the rows (of the night's rows for the kinds of one night)
  negative_hours: 0.001
pairs:                  # rows that break two rules at once
  - {kinds: [negative_hours, unknown_enum], rate: 0.0005}
bill_differences:       # by how much amounts and fees on bills differ; one of each list by lot
  amounts: ["0.01", "1.00"]
  fees: ["0.02"]
```
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lifecourse.errors import LifecourseError


class Kind(StrEnum):
    """Kinds of faults."""

    # Records of people; they are merged, and identity has to cope.
    DUPLICATE_LEAD = "duplicate_lead"
    SHARED_SIBLING_PHONE = "shared_sibling_phone"
    MISTYPED_PHONE = "mistyped_phone"
    NICKNAME_GIVEN = "nickname_given"
    SWAPPED_BIRTH_DATE = "swapped_birth_date"
    SHARED_PHONE = "shared_phone"
    OTHER_PAYER = "other_payer"
    DUPLICATE_LEARNER = "duplicate_learner"
    # Rows that break a rule.
    NEGATIVE_HOURS = "negative_hours"
    NEGATIVE_AMOUNT = "negative_amount"
    UNKNOWN_ENUM = "unknown_enum"
    BROKEN_DATE = "broken_date"
    REQUIRED_MISSING = "required_missing"
    ENDS_BEFORE_START = "ends_before_start"
    SCORE_OUT_OF_RANGE = "score_out_of_range"
    REFUND_LARGER_THAN_PAYMENT = "refund_larger_than_payment"
    LESSON_BEFORE_ENROLMENT = "lesson_before_enrolment"
    # Rows that come or go at the wrong time.
    LATE_ROW = "late_row"
    CHILD_BEFORE_PARENT = "child_before_parent"
    HARD_DELETE = "hard_delete"
    CHANGED_AFTER_CUTOFF = "changed_after_cutoff"
    # Bills of the payment channels.
    SAME_BILL_TWICE = "same_bill_twice"
    BILL_A_DAY_LATE = "bill_a_day_late"
    BILL_ROW_MISSING = "bill_row_missing"
    BILL_ROW_UNKNOWN = "bill_row_unknown"
    BILL_AMOUNT_DIFFERS = "bill_amount_differs"
    BILL_FEE_DIFFERS = "bill_fee_differs"


#: How `fct_payment_reconciliation` must judge what a fault of a bill has struck.
BILL_STATUS: dict[Kind, str] = {
    Kind.BILL_A_DAY_LATE: "in_transit",
    Kind.BILL_ROW_MISSING: "missing_in_bill",
    Kind.BILL_ROW_UNKNOWN: "missing_in_orders",
    Kind.BILL_AMOUNT_DIFFERS: "amount_differs",
    Kind.BILL_FEE_DIFFERS: "fee_differs",
}

#: Rule under which a row of each kind is quarantined, and the tables where the kind occurs.
ROW_RULES: dict[Kind, tuple[str, tuple[str, ...]]] = {
    Kind.NEGATIVE_HOURS: ("negative_hours", ("attendance",)),
    Kind.NEGATIVE_AMOUNT: ("negative_amount", ("rewards", "compensations")),
    Kind.UNKNOWN_ENUM: ("unknown_enum", ("attendance", "touchpoints", "surveys", "payments")),
    Kind.BROKEN_DATE: ("cast_failed", ("homework",)),
    Kind.REQUIRED_MISSING: ("required_missing", ("touchpoints", "attendance", "service_requests")),
    Kind.ENDS_BEFORE_START: ("ends_before_start", ("pauses",)),
    Kind.SCORE_OUT_OF_RANGE: ("score_out_of_range", ("surveys",)),
    Kind.REFUND_LARGER_THAN_PAYMENT: ("refund_exceeds_payment", ("refunds",)),
    Kind.LESSON_BEFORE_ENROLMENT: ("lesson_before_enrolment", ("attendance",)),
}

Rate = Annotated[float, Field(ge=0, le=1)]


class Pair(BaseModel):
    """Two faults on the same row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, Kind]
    rate: Rate

    @property
    def table(self) -> str:
        """The first table where both occur."""
        second = ROW_RULES[self.kinds[1]][1]
        return next(t for t in ROW_RULES[self.kinds[0]][1] if t in second)

    @model_validator(mode="after")
    def _can_meet(self) -> Pair:
        first, second = self.kinds
        for kind in self.kinds:
            if kind not in ROW_RULES:
                raise ValueError(f"{kind} breaks no rule of a single row; use {', '.join(ROW_RULES)}")
        if first == second or not set(ROW_RULES[first][1]) & set(ROW_RULES[second][1]):
            raise ValueError(f"{first} and {second} never meet on a row")
        if {first, second} == {Kind.UNKNOWN_ENUM, Kind.REQUIRED_MISSING}:
            raise ValueError(f"{first} and {second} would fall on the same column")
        return self


Difference = Annotated[Decimal, Field(gt=0, decimal_places=2)]


class BillDifferences(BaseModel):
    """By how much amounts and fees on bills differ from ours. Rounding explains a cent of a fee, but not two."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amounts: tuple[Difference, ...] = Field(default=(Decimal("0.01"), Decimal("1.00")), min_length=1)
    fees: tuple[Annotated[Difference, Field(ge=Decimal("0.02"))], ...] = Field(
        default=(Decimal("0.02"),), min_length=1
    )


class FaultPlan(BaseModel):
    """Rates by kind, pairs, and by how much bills differ."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: dict[Kind, Rate] = {}
    pairs: tuple[Pair, ...] = ()
    bill_differences: BillDifferences = BillDifferences()

    def rate(self, kind: Kind) -> float:
        """Share of rows with that fault."""
        return self.faults.get(kind, 0.0)


#: The files that come with the simulator.
SHIPPED = Path(__file__).with_name("faults")


def load_plan(path: Path | str | None) -> FaultPlan:
    """The plan in a file, or of a shipped one by name (``default``, ``none``, ``heavy``, ``two_on_a_row``,
    ``held_out_bills``, ``held_out_people``).

    Raises LifecourseError naming file and key for whatever is wrong in it.
    """
    where = SHIPPED / "default.yml" if path is None else Path(path)
    if where.suffix == "" and not where.exists():
        where = SHIPPED / f"{where}.yml"
    try:
        body = yaml.safe_load(where.read_text(encoding="utf-8")) or {}
    except OSError as error:
        known = ", ".join(sorted(p.stem for p in SHIPPED.glob("*.yml")))
        raise LifecourseError(
            f"the file of faults cannot be read ({error.strerror})",
            str(where),
            f"give a path, or one of {known}",
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise LifecourseError(f"no YAML:{line} {getattr(error, 'problem', '')}", str(where)) from None
    try:
        return FaultPlan.model_validate(body)
    except ValidationError as error:
        problems = []
        for e in error.errors():
            key = ".".join(str(part) for part in e["loc"] if part != "[key]") or "(top level)"
            problems.append(f"{key}: {e['msg']}")
        raise LifecourseError(
            "; ".join(problems), str(where), f"kinds are {', '.join(Kind)}; rates 0 to 1"
        ) from None
