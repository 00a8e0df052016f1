"""HTTP APIs as a source: bearer token, changes since an instant, cursor paging, patience.

What is expected of the API (see `lifecourse.simulator.payments_api` for one):

- ``GET <path>?updated_since=&updated_until=&limit=`` gives ``{"data": [rows], "next_cursor": text or null}``, the rows
  changed in ``(updated_since, updated_until]``; the next page is asked for with ``cursor`` and ``limit``;
- ``GET /v1/clock`` gives ``{"now": instant}``; ``GET <path>/schema`` gives ``{"columns": [{"name", "type"}]}`` and may be
  absent.

429, 5xx, timeouts and cut connections are tried again with growing pauses, or after what ``Retry-After`` asks for.
Neither the token nor anything the server says in a body gets into an error or a log.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

import httpx
import pyarrow as pa
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.sources.base import SourceColumn, Unit, Window
from lifecourse.sources.casting import cast_batch
from lifecourse.sources.spec import ColumnSpec, SystemSpec, TableSpec, resolve

logger = logging.getLogger(__name__)

#: How often a call is tried, and the longest pause between two tries in seconds.
ATTEMPTS = 8
LONGEST_PAUSE = 60.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE = 0.5


class RestReader:
    """Reads an HTTP API (see `lifecourse.sources.base.Reader`).

    `transport` and `sleep` are for tests.
    """

    def __init__(
        self,
        spec: SystemSpec,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.spec = spec
        self._transport, self._sleep = transport, sleep
        self._client: httpx.Client | None = None
        self._answered_at: datetime | None = None

    def __enter__(self) -> Self:
        where = str(self.spec.file)
        self._client = httpx.Client(
            base_url=resolve(self.spec.url, where),
            auth=_Bearer(resolve(self.spec.token, where)) if self.spec.token else None,
            timeout=_TIMEOUT,
            transport=self._transport,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def clock(self) -> datetime:
        """The API's own idea of now."""
        now = _instant(self._get("/v1/clock", {}).get("now"))
        if now is None:
            raise LifecourseError("/v1/clock gives no instant with an offset", self._where, "check the `url`")
        return now

    def columns(self, table: TableSpec) -> list[SourceColumn]:
        """Columns as the API's schema call tells them, else those of one row; empty where there is none."""
        try:
            columns = self._get(f"{table.path}/schema", {}).get("columns", [])
            return [SourceColumn(str(column["name"]), str(column["type"])) for column in columns]
        except _NotFound:
            pass
        rows = self._rows(self._get(str(table.path), {"limit": "1"}), table)
        # One row tells no types: what is null in it may be anything.
        return [SourceColumn(name, "json") for name in rows[0]] if rows else []

    def units(self, table: TableSpec, window: Window) -> list[Unit]:
        """The whole window is one unit."""
        return [Unit()]

    def read(self, table: TableSpec, unit: Unit, window: Window) -> Iterator[pa.RecordBatch]:
        """Rows changed in the window, a batch per page. A column that a row lacks stops the table."""
        parameters = {
            "updated_until": window.until.astimezone(UTC).isoformat(),
            "limit": str(self.spec.page_size),
        }
        if window.after is not None:
            parameters["updated_since"] = window.after.astimezone(UTC).isoformat()
        where = f"{self._where}, table {table.name}"
        seen: set[str] = set()
        while True:
            answer = self._get(str(table.path), parameters)
            rows = self._rows(answer, table)
            if rows:
                values = {column.name: values_of(rows, column, where) for column in table.read_columns}
                yield cast_batch(values, table.read_columns, self._zone, where)
            cursor = answer.get("next_cursor")
            if not cursor:
                return
            if not isinstance(cursor, str) or cursor in seen:
                raise LifecourseError("the API gives the same cursor twice", where, "report it to its makers")
            seen.add(cursor)
            parameters = {"cursor": cursor, "limit": str(self.spec.page_size)}

    @property
    def _where(self) -> str:
        return f"system {self.spec.system}"

    @property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.spec.timezone or settings().timezone)

    def _rows(self, answer: dict[str, Any], table: TableSpec) -> list[dict[str, Any]]:
        rows = answer.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise LifecourseError(
                "the answer has no list of rows under `data`",
                f"{self._where}, {table.path}",
                "check `url` and `path`",
            )
        return rows

    def _get(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        """The JSON object that the call gives, with decimals exact; tried again where that may help."""
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_pause,
            retry=retry_if_exception_type(_Passing),
            sleep=self._sleep,
            before_sleep=lambda state: self._note(path, state),
            reraise=True,
        )
        try:
            return retrying(self._get_once, path, parameters)
        except _Passing as error:
            raise LifecourseError(
                f"GET {path} failed {ATTEMPTS} times, at last with {error.what}",
                self._where,
                f"see that the server at `url` in {self.spec.file.name or 'the YAML'} is up, then pull again",
            ) from None

    def _date_of(self, path: str, parameters: dict[str, str]) -> datetime | None:
        """The ``Date`` in the head of the last answer to the call."""
        self._get(path, parameters)
        return self._answered_at

    def _get_once(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        if self._client is None:
            raise LifecourseError("the reader is not open", self._where, "use it in a `with` block")
        try:
            response = self._client.get(path, params=parameters)
        except httpx.TransportError as error:
            # Its text may quote a header, that is, the token.
            raise _Passing(f"no answer ({type(error).__name__})", None) from None
        except (httpx.InvalidURL, httpx.HTTPError) as error:
            raise LifecourseError(
                f"GET {path}: {type(error).__name__}", self._where, f"check `url` in {self.spec.file}"
            ) from None
        self._answered_at = _date(response)
        if response.status_code in _TRY_AGAIN:
            raise _Passing(f"status {response.status_code}", _retry_after(response))
        if response.status_code == 404:
            raise _NotFound(
                f"GET {path} gives 404: there is no such table", self._where, "mend `path` or `url`"
            )
        if response.status_code in (401, 403):
            raise LifecourseError(
                f"GET {path} gives {response.status_code}: the token is refused",
                self._where,
                f"check `token` in {self.spec.file}, or the variable or secret it names",
            )
        if response.status_code != 200:
            raise LifecourseError(
                f"GET {path} gives {response.status_code}", self._where, "check `path` and `page_size`"
            )
        try:
            answer = json.loads(response.content, parse_float=Decimal)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise LifecourseError(f"GET {path} gives no JSON object", self._where, "check `url`")
        return answer

    def _note(self, path: str, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        what = error.what if isinstance(error, _Passing) else "an error"
        logger.warning(
            "system %s: GET %s: %s; try %d of %d in %.1f s",
            self.spec.system, path, what, state.attempt_number + 1, ATTEMPTS, pause,
        )  # fmt: skip


class _Passing(Exception):
    """A failure that may pass: `what` it was, and the seconds that the server asks to wait."""

    def __init__(self, what: str, wait: float | None) -> None:
        super().__init__(what)
        self.what, self.wait = what, wait


class _NotFound(LifecourseError):
    pass


class _Bearer(httpx.Auth):
    """Puts the token on each request; nothing that prints this object shows it."""

    def __init__(self, token: str) -> None:
        # A line break at its end (a file, an environment variable) would make an illegal header.
        self._header = f"Bearer {token.strip()}"

    def __repr__(self) -> str:
        return "Bearer(...)"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._header
        yield request


_growing = wait_random_exponential(multiplier=_FIRST_PAUSE, max=LONGEST_PAUSE)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, _Passing) else None
    return min(asked, LONGEST_PAUSE) if asked is not None else _growing(state)


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that ``Retry-After`` asks for; it may be a number or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()) if text else None
    except (ValueError, TypeError):
        return None


def _date(response: httpx.Response) -> datetime | None:
    """The ``Date`` of an answer; it may be absent or unreadable."""
    try:
        return parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError, TypeError):
        return None


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return instant if instant is not None and instant.tzinfo is not None else None


_ABSENT = object()


def values_of(rows: list[dict[str, Any]], column: ColumnSpec, where: str) -> pa.Array:
    """One column of the rows, as text; `LifecourseError` if a row has no such field."""
    name = column.source or column.name
    found = [_value(row, name) for row in rows]
    if column.optional:
        found = [None if value is _ABSENT else value for value in found]
    if any(value is _ABSENT for value in found):
        raise LifecourseError(
            f"missing column: {name}", where, "the source has changed: mend `from` in the YAML"
        )
    return pa.array([_text(value) for value in found], pa.string())


def _value(row: dict[str, Any], name: str) -> Any:
    """The value under that name; a dot reaches into an object."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return _ABSENT
        value = value[part]
    return value


def _text(value: object) -> str | None:
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return format(value, "f")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
