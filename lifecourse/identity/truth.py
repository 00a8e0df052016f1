"""How well identity tells who is who, against the simulator's truth: pairs of records rightly and wrongly joined.

A pair of two leads, a lead and a learner, or two learners counts once. Precision is the share of the pairs that the
warehouse joins which are true, recall the share of the true pairs that it joins; of a kind of fault, the pairs with
at least one record that the fault has struck. Orders are left out: they name their learner, and would only flatter.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq

from lifecourse.errors import LifecourseError

#: Kinds of faults that strike records of people, by the name of the simulator's list.
KINDS = (
    "duplicate_lead", "shared_sibling_phone", "mistyped_phone", "nickname_given", "swapped_birth_date",
    "shared_phone", "other_payer", "duplicate_learner", "broken_date",
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """Pairs at one level: joined and true, joined, true."""

    level: str
    kind: str
    records: int
    right: int
    joined: int
    true: int

    @property
    def precision(self) -> float:
        return self.right / self.joined if self.joined else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0


def scores(connection: psycopg.Connection[tuple[Any, ...]], folder: Path) -> list[Score]:
    """Accounts and learners, overall (`kind` is all) and by fault. `folder` is the simulator's.

    Raises `LifecourseError` where there is no truth to compare with.
    """
    if not (folder / "truth" / "records.parquet").exists():
        raise LifecourseError(
            "there is no truth to compare with", str(folder), "only a simulated institution has one"
        )
    people = pq.read_table(folder / "truth" / "people.parquet").to_pydict()
    home_of = dict(zip(people["person_id"], people["household_id"], strict=True))
    records = pq.read_table(folder / "truth" / "records.parquet").to_pydict()
    person_of = {
        f"{table[:-1]}:{key}": person
        for table, key, person in zip(records["table"], records["key"], records["person_id"], strict=True)
        if table in ("leads", "learners")
    }
    known = {
        record: (customer, account)
        for record, customer, account in connection.execute(
            """
            select known.record_id, registry.customer_id, registry.account_id
            from core.identity_record as known
            join core.identity_registry as registry on registry.learner_id = case known.kind
                when 'lead' then known.record_id else substring(known.record_id from 9) end
            where known.kind in ('lead', 'learner')
            """
        )
    }
    strange = [record for record in known if record not in person_of]
    if strange:
        raise LifecourseError(
            f"{len(strange)} records are in the warehouse and not in the truth",
            str(folder), "the truth is of another institution: create it anew, and pull",
        )  # fmt: skip
    struck = _struck(connection, folder, known)
    found = []
    for level, place, true in (
        ("account", 1, {record: home_of[person_of[record]] for record in known}),
        ("learner", 0, {record: person_of[record] for record in known}),
    ):
        joined = {record: ids[place] for record, ids in known.items()}
        found.append(_score(level, "all", known, joined, true))
        for kind in KINDS:
            if struck.get(kind):
                found.append(_score(level, kind, struck[kind], joined, true))
    return found


def _score(
    level: str,
    kind: str,
    struck: Collection[str],
    joined: Mapping[str, Hashable],
    true: Mapping[str, Hashable],
) -> Score:
    """Pairs with a struck record: all pairs less those among the records that are not struck."""

    def pairs(group_of: Mapping[str, Hashable]) -> int:
        everyone, others = Counter[Hashable](), Counter[Hashable]()
        for record, group in group_of.items():
            everyone[group] += 1
            others[group] += record not in struck
        return sum(n * (n - 1) // 2 for n in everyone.values()) - sum(
            n * (n - 1) // 2 for n in others.values()
        )

    both = {record: (joined[record], true[record]) for record in joined}
    return Score(level, kind, len(struck), pairs(both), pairs(joined), pairs(true))


def _struck(
    connection: psycopg.Connection[tuple[Any, ...]], folder: Path, known: Collection[str]
) -> dict[str, set[str]]:
    """Records struck by each kind; a contact's fault strikes its leads, an order's its learner."""
    found: dict[str, set[str]] = {}
    of_contact: dict[str, list[str]] = {}
    for contact, lead in connection.execute("select contact_id, lead_id from canonical.leads"):
        of_contact.setdefault(contact, []).append(f"lead:{lead}")
    of_order = dict(connection.execute("select order_id, 'learner:' || learner_id from canonical.orders"))
    for line in (folder / "faults.jsonl").read_text(encoding="utf-8").splitlines():
        fault = json.loads(line)
        if fault["kind"] in KINDS:
            key = fault["key"]
            records = {
                "leads": [f"lead:{key}"], "learners": [f"learner:{key}"], "contacts": of_contact.get(key, []),
                "orders": [of_order[key]] if key in of_order else [],
            }.get(fault["table"], [])  # fmt: skip
            found.setdefault(fault["kind"], set()).update(record for record in records if record in known)
    return found
