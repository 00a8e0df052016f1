"""What the loader asks of a source system, whatever its kind.

A reader is opened once per pull and system, inside one snapshot where the kind has snapshots, and asked
for each table in turn. It gives typed rows: text, exact decimals, instants in UTC. A value that cannot be
cast becomes null and its column is named in ``_cast_error``; the row is never dropped here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import psycopg
import pyarrow as pa

if TYPE_CHECKING:
    from lifecourse.sources.spec import SystemSpec, TableSpec

#: Extra column that every reader adds: comma-separated names of the columns whose cast failed, else null.
CAST_ERROR = "_cast_error"


@dataclass(frozen=True)
class Window:
    """Rows whose change time is in ``(after, until]``; both are instants with a zone.

    ``after`` already has the table's lag taken off; None means from the beginning.
    """

    after: datetime | None
    until: datetime


@dataclass(frozen=True)
class Unit:
    """What one batch holds: a whole window (name ``''``) or one file of it, with its SHA-256."""

    name: str = ""
    hash: str | None = None
    path: str | None = None


@dataclass(frozen=True)
class SourceColumn:
    """A column as the source shows it, for noticing drift."""

    name: str
    type: str


@dataclass(frozen=True)
class KeyRange:
    """Count and checksum of the keys (and change times) in one range of a table."""

    name: str
    count: int
    checksum: int


class Reader(Protocol):
    """Reads one system. Used as a context manager: entering connects and takes the snapshot."""

    spec: SystemSpec

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def clock(self) -> datetime:
        """The source's own idea of now (instant)."""
        ...

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        """Every column of the source table as it is now; `LifecourseError` if the table is gone."""
        ...

    def units(self, table: TableSpec, window: Window) -> list[Unit]:
        """The units to read; one for databases and APIs, one per new file for files."""
        ...

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """Rows of the unit: the table's landed columns in order, then ``_cast_error``.

        Personal columns hold the plain value as text here (the loader sends it to the vault and lands a
        token); derived columns are left out (the vault computes them).
        """
        ...


class SnapshotReader(Reader, Protocol):
    """A database: can pipe rows without touching them, and can tell counts of key ranges."""

    def copy_into(self, table: TableSpec, window: Window, target: psycopg.Connection, relation: str) -> int:
        """Pipes the window's rows into `relation` of `target` by binary COPY; rows piped."""
        ...

    def key_ranges(self, table: TableSpec) -> list[KeyRange]:
        """Count and checksum per key range of the whole table in the snapshot."""
        ...

    def keys(self, table: TableSpec, ranges: list[str]) -> Iterator[pa.RecordBatch]:
        """Key columns (as landed) and ``_changed_at`` of every row of those ranges."""
        ...


def cast_error_field() -> pa.Field:
    """The Arrow field of `CAST_ERROR`."""
    return pa.field(CAST_ERROR, pa.string(), nullable=True)
