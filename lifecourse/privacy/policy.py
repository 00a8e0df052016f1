"""What becomes of a table's rows when a person is erased: one place that says it, table by table.

Rows go. What accounting law obliges to keep (the Accounting Law and the Measures for the Administration of Accounting
Archives: vouchers, and what they rest on) stays in a restricted state: under a pseudonym instead of the learner's
number, without personal values, without a way to the enquiry. Lessons attended are what revenue was recognised for,
so enrolments and attendance are among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lifecourse.sources.spec import SystemSpec, TableSpec

#: Canonical tables whose rows stay, and the columns that are emptied in them besides personal ones.
KEPT: dict[str, tuple[str, ...]] = {
    "orders": (),
    "contracts": ("lead_id", "contact_id"),
    "enrolments": ("withdrawal_reason", "result"),
    "attendance": ("leave_reason", "leave_requested_at"),
    "coupons": (),
    "compensations": ("complaint_id",),
    "referrals": ("referrer_contact_id",),
    "rewards": (),
    "settlement_bills": (),
}
#: (canonical table, column): a row of somebody else that names the person; the name is emptied.
OTHERS: frozenset[tuple[str, str]] = frozenset(
    {("referrals", "referred_lead_id"), ("referrals", "referrer_contact_id"),
     ("contracts", "lead_id"), ("contracts", "contact_id")}
)  # fmt: skip
#: Of a learner with kept rows a stub stays, since they need a parent: these columns of it.
STUB = ("campus_id", "registered_at", "updated_at")

#: Columns of the contract that carry a key of a person, by kind.
_LINKS = {
    "learner": ("learner_id", "referrer_learner_id"),
    "lead": ("lead_id", "referred_lead_id"),
    "contact": ("contact_id", "referrer_contact_id"),
}
#: Only where there are personal values to be emptied: an order is no person.
_ORDER = "order_id"


@dataclass(frozen=True)
class Links:
    """Columns of a table that lead to a person, and those that hold something of one."""

    by_kind: dict[str, list[str]]
    personal: list[str]
    columns: frozenset[str]


@dataclass(frozen=True)
class Policy:
    """`kept`: rows stay under a pseudonym; else they go."""

    kept: bool
    cleared: tuple[str, ...] = ()
    others: frozenset[str] = field(default_factory=frozenset)

    def removes(self, kind: str, column: str) -> bool:
        return not self.kept and kind != "order" and column not in self.others

    def leaves(self, kind: str, column: str) -> bool:
        return column in self.others


def links_of(table: TableSpec) -> Links:
    """By the contract's names, and for tables of other shapes by what the description says a row touches."""
    columns = {name: column.postgres_type for name, column in table.columns.items()}
    personal = [name for name, kind in columns.items() if kind == "uuid"]
    # What is known of a value outside the vault goes with it.
    personal += [column.name for column in table.derived_columns if column.name not in personal]
    by_kind: dict[str, list[str]] = {}
    for kind, names in _LINKS.items():
        found = [name for name in names if name in columns]
        touched = table.touches.get(kind) if isinstance(table.touches, dict) else None
        if touched and touched not in found:
            found.append(touched)
        if found:
            by_kind[kind] = found
    if personal and _ORDER in columns:
        by_kind["order"] = [_ORDER]
    return Links(by_kind, personal, frozenset(columns))


def policy_of(system: SystemSpec, table: TableSpec) -> Policy:
    """Of a table that maps to none of the contract, the payment systems' rows stay."""
    name = table.maps_to
    if name is None:
        return Policy(kept=system.serves == "payments")
    return Policy(
        kept=name in KEPT,
        cleared=KEPT.get(name, ()),
        others=frozenset(column for canonical, column in OTHERS if canonical == name),
    )
