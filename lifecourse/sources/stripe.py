"""Stripe's API as a source: newest first, pages by ``starting_after``, until ``has_more`` is false.

``GET <path>?created[gt]=&created[lte]=&limit=&starting_after=`` gives ``{"data": [objects], "has_more": true}``. Objects
can only be asked for by when they were created, and change afterwards (a charge is refunded or disputed, a refund fails):
the table's ``lag`` says for how many days back they are read again, and the loader keeps what differs. The clock is the
server's, from the ``Date`` of its answers. Amounts are whole numbers of the smallest unit; see `sources/ready/stripe`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pyarrow as pa

from lifecourse.errors import LifecourseError
from lifecourse.sources.base import SourceColumn, Unit, Window
from lifecourse.sources.casting import cast_batch
from lifecourse.sources.rest import RestReader, values_of
from lifecourse.sources.spec import TableSpec

#: Stripe gives no more objects a page.
MOST_PER_PAGE = 100


class StripeReader(RestReader):
    """Reads Stripe, or what answers like it (see `lifecourse.sources.base.Reader`)."""

    def clock(self) -> datetime:
        """The server's own idea of now, from the head of its answer."""
        path, _ = _split(self.spec.tables[0])
        moment = self._date_of(path, {"limit": "1"})
        if moment is None:
            raise LifecourseError(f"GET {path} comes without a Date", self._where, "check the `url`")
        return moment

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        """Columns of one object; empty where there is none. One object tells no types."""
        path, asked = _split(table)
        rows = self._rows(self._get(path, {**asked, "limit": "1"}), table)
        return [SourceColumn(name, "json") for name in rows[0]] if rows else []

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """Objects created in the window, a batch per page. A column that an object lacks stops the table."""
        limit = min(self.spec.page_size, MOST_PER_PAGE)
        path, asked = _split(table)
        parameters = {**asked, "created[lte]": str(math.floor(window.until.timestamp())), "limit": str(limit)}
        if window.after is not None:
            parameters["created[gt]"] = str(math.floor(window.after.astimezone(UTC).timestamp()))
        where = f"{self._where}, table {table.name}"
        seen: set[str] = set()
        while True:
            answer = self._get(path, parameters)
            rows = self._rows(answer, table)
            if rows:
                values = {column.name: values_of(rows, column, where) for column in table.read_columns}
                yield cast_batch(values, table.read_columns, self._zone, where)
            if not answer.get("has_more"):
                return
            last = rows[-1].get("id") if rows else None
            if not isinstance(last, str) or last in seen:
                raise LifecourseError("the API gives no next page", where, "report it to its makers")
            seen.add(last)
            parameters["starting_after"] = last


def _split(table: TableSpec) -> tuple[str, dict[str, str]]:
    """The path, and what it asks for besides, as in ``/v1/refunds?expand[]=data.charge``."""
    path, _, query = str(table.path).partition("?")
    return path, dict(parse_qsl(query))
