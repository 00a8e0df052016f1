"""Rows that change over time, in columns.

A sheet holds the rows of one table with everything that will ever happen to them. `Sheet.state`
tells how they stand at a moment: what is not yet there is left out, what has not happened yet is
not shown, and the change time is that of the last thing that did happen.

Instants are int64 seconds on the clock in Shanghai (UTC+8, no summer time since 1991), days are
int64 days since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lifecourse.simulator.schema import SYSTEM_OF, TABLES, change_time_of, key_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]

DAY = 86_400
#: An instant that does not come.
NEVER = 1 << 60
#: A day that does not come.
FAR = 10_000_000
#: A null among integers.
NONE = int(np.iinfo(np.int64).min)

_DTYPES: dict[str, Any] = {"num": np.float64, "hours": np.float64, "bool": np.int8, "text": object}


def _typed(table: str, column: str, value: object, rows: int) -> Column:
    kind = TABLES[SYSTEM_OF[table]][table][column]
    dtype = _DTYPES.get(kind, np.int64)
    if np.ndim(value) == 0:  # type: ignore[arg-type]
        null: object = {"num": np.nan, "hours": np.nan, "bool": -1, "text": None}.get(kind, NONE)
        return np.full(rows, null if value is None else value, dtype=dtype)
    return np.asarray(value).astype(dtype, copy=False)


@dataclass
class Change:
    """Something that happens to rows: when (`NEVER` where it does not), and the new values."""

    at: Ints
    values: dict[str, Column]


@dataclass
class State:
    """Rows of a table as they stand at a moment. `index` are their positions in the sheet."""

    table: str
    index: Ints
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def keys(self) -> Ints:
        return self.columns[key_of(self.table)]

    def take(self, which: Ints | Flags) -> State:
        """Some of the rows."""
        return State(self.table, self.index[which], {name: c[which] for name, c in self.columns.items()})


@dataclass
class Sheet:
    """All rows a table will ever have in one block, and what will happen to them.

    `created` is the change time a row is born with; `visible` the moment it is committed (later
    than `created` only for rows that come late).
    """

    table: str
    created: Ints
    columns: dict[str, Column]
    visible: Ints
    changes: list[Change] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.created)

    @property
    def keys(self) -> Ints:
        return self.columns[key_of(self.table)]

    def change(self, at: Ints, **values: object) -> Sheet:
        """Let rows change at `at`; changes of one row are named in the order they happen."""
        typed = {name: _typed(self.table, name, value, len(self)) for name, value in values.items()}
        self.changes.append(Change(np.asarray(at, dtype=np.int64), typed))
        return self

    def take(self, which: Ints | Flags) -> Sheet:
        """Some of the rows, with their future."""
        return Sheet(
            self.table,
            self.created[which],
            {name: c[which] for name, c in self.columns.items()},
            self.visible[which],
            [Change(c.at[which], {k: v[which] for k, v in c.values.items()}) for c in self.changes],
        )

    def updated(self, moment: int) -> Ints:
        """Change time of every row as of a moment."""
        updated = self.created.copy()
        for change in self.changes:
            np.maximum(updated, np.where(change.at <= moment, change.at, updated), out=updated)
        return updated

    def settled(self) -> Ints:
        """Last change time that any row will ever have."""
        return self.updated(FAR * DAY - 1)

    def state(self, moment: int, since: int | None = None) -> State:
        """The rows as they stand at `moment`; with `since` only those new or changed after it."""
        shown = self.visible <= moment
        updated = self.updated(moment)
        if since is not None:
            shown &= (updated > since) | (self.visible > since)
        index = np.flatnonzero(shown)
        columns = {name: column[index] for name, column in self.columns.items()}
        for change in self.changes:
            hit = np.flatnonzero(change.at[index] <= moment)
            for name, values in change.values.items():
                columns[name][hit] = values[index][hit]
        columns[change_time_of(self.table)] = updated[index]
        return State(self.table, index, columns)


def sheet(table: str, created: Ints, columns: Mapping[str, object]) -> Sheet:
    """A sheet of `table`; scalars are spread over all rows, columns not named are null."""
    rows = len(created)
    created = np.asarray(created, dtype=np.int64)
    names = TABLES[SYSTEM_OF[table]][table]
    unknown = set(columns) - set(names)
    if unknown:
        raise KeyError(f"{table} has no column {', '.join(sorted(unknown))}")
    typed = {name: _typed(table, name, columns.get(name), rows) for name in names}
    return Sheet(table, created, typed, created.copy())


def join(parts: list[Sheet]) -> Sheet:
    """Sheets of one table, one after the other; all must have the same kinds of changes."""
    first = parts[0]
    changes = []
    for number, change in enumerate(first.changes):
        names = list(change.values)
        changes.append(
            Change(
                np.concatenate([p.changes[number].at for p in parts]),
                {n: np.concatenate([p.changes[number].values[n] for p in parts]) for n in names},
            )
        )
    return Sheet(
        first.table,
        np.concatenate([p.created for p in parts]),
        {n: np.concatenate([p.columns[n] for p in parts]) for n in first.columns},
        np.concatenate([p.visible for p in parts]),
        changes,
    )


def words(condition: Flags, yes: object, no: object) -> Column:
    """`numpy.where` for text and nulls: an array of objects."""
    return np.where(condition, np.asarray(yes, dtype=object), np.asarray(no, dtype=object))


def ragged(counts: Ints) -> tuple[Ints, Ints]:
    """For lists of these lengths laid end to end: owner and position of every element."""
    counts = np.asarray(counts, dtype=np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    return owner, position


def running_sum(values: Ints, owner: Ints, counts: Ints) -> Ints:
    """Sums up to and including every element, begun anew for every owner."""
    total = np.cumsum(values)
    before = np.concatenate([[0], total])[np.cumsum(counts) - counts]
    return total - before[owner]
