"""The list of planted faults, one JSON object a line, for tests only.

``kind``, ``system``, ``table``, ``key`` (as text), ``expect`` and ``night`` (the business day from
whose pull on it holds). ``expect`` is one of:

=============================== =================================================================
``quarantined:<rule>``           the row is in quarantine, for this rule (perhaps among others)
``merged``                       the row is merged like any other
``merged_next_night``            the row is not there after this night, or waits in quarantine for a
                                 parent (``rule`` says so); the next night merges it
``found_by_key_comparison``      committed late, with a change time before the overlap of the windows
``soft_deleted_next_night``      gone from the source from this night on; a soft delete in the warehouse
``counted_once``                 a bill that was sent twice counts once
``reconciled:<status>``          reconciliation finds the row of the bill, or ours, in this status (system ``bills``,
                                 table: the channel); of a late bill, whose name is the key, every row of ours that it
                                 will hold, until the next night
=============================== =================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """A planted fault."""

    kind: str
    system: str
    table: str
    key: str
    expect: str
    night: date
    details: dict[str, object] = field(default_factory=dict)

    def line(self) -> str:
        body = {"kind": self.kind, "system": self.system, "table": self.table, "key": self.key,
                "expect": self.expect, "night": self.night.isoformat(), **self.details}  # fmt: skip
        return json.dumps(body, ensure_ascii=False)


def append(path: Path, faults: Iterable[Fault]) -> int:
    """Add faults that are not in the list yet; returns how many were."""
    known = {(f.kind, f.table, f.key, f.expect) for f in read(path)}
    path.parent.mkdir(parents=True, exist_ok=True)
    added = 0
    with path.open("a", encoding="utf-8") as out:
        for fault in faults:
            mark = (fault.kind, fault.table, fault.key, fault.expect)
            if mark not in known:
                known.add(mark)
                out.write(fault.line() + "\n")
                added += 1
    return added


def read(path: Path) -> list[Fault]:
    """All faults in the list; none where there is no list."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        body = json.loads(line)
        known = {name: body.pop(name) for name in ("kind", "system", "table", "key", "expect")}
        known["night"] = date.fromisoformat(body.pop("night"))
        found.append(Fault(**known, details=body))
    return found
