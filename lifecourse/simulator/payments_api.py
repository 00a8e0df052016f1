"""The payment system of the make-believe institution: an HTTP API over the database ``sim_payments``.

=============================== ===================================================================
``GET /v1/<table>``              rows in the order of (updated_at, key); see `PaymentsApi.page`
``GET /v1/<table>/schema``       names and types of the table's columns
``GET /v1/clock``                the system's own idea of now
``GET /healthz``                 whether the server answers; needs no token
=============================== ===================================================================

Every other call carries ``Authorization: Bearer <token>``. Amounts are JSON strings with all their digits,
instants ISO 8601 with their offset, ids strings. Too many calls are answered 429 with ``Retry-After`` in
seconds. Errors are ``{"error": {"code": ..., "message": ...}}``.

For tests, `Faults` (or ``LIFECOURSE_PAYMENTS_FAULTS=error=0.05,slow=0.05,cut=0.05,seed=7``) makes the server
fail now and then as real ones do: with a 500, a slow answer, or a connection cut in the middle of the body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import os
import queue
import random
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from psycopg import sql
from starlette.types import Receive, Scope, Send

from lifecourse.simulator.schema import DATABASES, PAYMENTS, TABLES, change_time_of, key_of

TIME_ZONE = "Asia/Shanghai"
DEFAULT_LIMIT, MAX_LIMIT = 500, 5_000
#: Calls a second that a client may make in the long run, and how many at once after a rest.
DEFAULT_RATE, DEFAULT_BURST = 20.0, 40
FAULTS_VARIABLE = "LIFECOURSE_PAYMENTS_FAULTS"
_CONNECTIONS = 8


@dataclass(frozen=True)
class Faults:
    """Shares of calls that go wrong, drawn from a seed; `slow_seconds` is what a slow answer takes."""

    error: float = 0
    slow: float = 0
    cut: float = 0
    slow_seconds: float = 2.0
    seed: int = 0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """From ``error=0.05,cut=0.01,seed=7``; `ValueError` for anything else."""
        values = dict(part.split("=", 1) for part in text.split(",") if part)
        unknown = set(values) - {"error", "slow", "cut", "slow_seconds", "seed"}
        if unknown:
            raise ValueError(f"{FAULTS_VARIABLE}: unknown fault {', '.join(sorted(unknown))}")
        seed = int(values.pop("seed", 0))
        return cls(seed=seed, **{name: float(value) for name, value in values.items()})


class ApiError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers or {}

    def response(self) -> JSONResponse:
        body = {"error": {"code": self.code, "message": self.message}}
        return JSONResponse(body, status_code=self.status, headers=self.headers)


class RateLimit:
    """A token bucket: `burst` calls at once, refilled with `rate` a second."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._left, self._at = float(burst), clock()
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """None when the call may go on, else the whole seconds after which it may."""
        with self._lock:
            now = self._clock()
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left >= 1:
                self._left -= 1
                return None
            return max(1, math.ceil((1 - self._left) / self._rate))


class PaymentsApi:
    """What the server does, without HTTP: pages of rows from the database behind `url`."""

    def __init__(self, url: str, cursor_key: bytes) -> None:
        self._url, self._cursor_key = url, cursor_key
        self._idle: queue.LifoQueue[psycopg.Connection[Any]] = queue.LifoQueue()
        self._places = threading.BoundedSemaphore(_CONNECTIONS)

    def close(self) -> None:
        """Closes the idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def clock(self) -> datetime:
        """The institution's own time where the simulation keeps one, else the server's."""
        with self._connection() as connection:
            return _clock(connection)

    def schema(self, table: str) -> list[dict[str, str]]:
        """Names and types of the table's columns, in order."""
        with self._connection() as connection:
            return [
                {"name": name, "type": kind} for name, kind in _columns(connection, _known(table)).items()
            ]

    def page(
        self,
        table: str,
        updated_since: datetime | None,
        updated_until: datetime | None,
        limit: int,
        cursor: str | None,
    ) -> str:
        """A page of rows changed in ``(updated_since, updated_until]``, as the JSON text of the answer.

        ``{"data": [...], "next_cursor": text or null, "updated_until": instant}``. Without `updated_until` the
        window ends now; it then ends there for all its pages. The next page is asked for with `cursor` alone,
        which stands for a place in the order of (change time, key): a row that changes meanwhile leaves the
        window for good, so no row comes twice and none that stays is passed over.
        """
        key, changed = key_of(_known(table)), change_time_of(table)
        with self._connection() as connection:
            after: tuple[str, str] | None = None
            if cursor is not None:
                updated_since, updated_until, after = self._open(cursor, table)
            elif updated_until is None:
                updated_until = _clock(connection)
            assert updated_until is not None
            conditions = [sql.SQL("{} <= {}").format(sql.Identifier(changed), sql.Literal(updated_until))]
            if updated_since is not None and after is None:
                conditions.append(
                    sql.SQL("{} > {}").format(sql.Identifier(changed), sql.Literal(updated_since))
                )
            if after is not None:
                conditions.append(
                    sql.SQL("({}, {}) > ({}::timestamptz, {})").format(
                        sql.Identifier(changed),
                        sql.Identifier(key),
                        sql.Literal(after[0]),
                        sql.Literal(after[1]),
                    )
                )
            rows = connection.execute(
                sql.SQL(
                    "select row_to_json(page)::text, page.{changed}, page.{key} from ("
                    "select {columns} from public.{table} where {conditions} order by {changed}, {key} limit {limit}"
                    ") as page"
                ).format(
                    changed=sql.Identifier(changed),
                    key=sql.Identifier(key),
                    columns=_select_list(_columns(connection, table)),
                    table=sql.Identifier(table),
                    conditions=sql.SQL(" and ").join(conditions),
                    limit=sql.Literal(limit + 1),
                )
            ).fetchall()
        next_cursor = None
        if len(rows) > limit:
            rows.pop()
            next_cursor = self._seal(
                table, updated_since, updated_until, (rows[-1][1].isoformat(), rows[-1][2])
            )
        tail = json.dumps({"next_cursor": next_cursor, "updated_until": updated_until.isoformat()})
        # Postgres has written the rows' JSON; parsing it only to write it again would take most of the time.
        return f'{{"data": [{",".join(row[0] for row in rows)}], {tail[1:]}'

    def _seal(self, table: str, since: datetime | None, until: datetime, after: tuple[str, str]) -> str:
        content = json.dumps([table, since and since.isoformat(), until.isoformat(), *after]).encode()
        return base64.urlsafe_b64encode(self._seal_of(content) + content).decode()

    def _open(self, cursor: str, table: str) -> tuple[datetime | None, datetime, tuple[str, str]]:
        try:
            raw = base64.urlsafe_b64decode(cursor.encode())
            seal, content = raw[:8], raw[8:]
            if not hmac.compare_digest(seal, self._seal_of(content)):
                raise ValueError
            of_table, since, until, changed, key = json.loads(content)
            if of_table != table:
                raise ValueError
        except ValueError:
            raise ApiError(
                400, "invalid_cursor", "the cursor is none that this table has given out"
            ) from None
        return since and datetime.fromisoformat(since), datetime.fromisoformat(until), (changed, key)

    def _seal_of(self, content: bytes) -> bytes:
        return hmac.digest(self._cursor_key, content, "sha256")[:8]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        with self._places:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = self._connect()
            try:
                yield connection
            except psycopg.OperationalError:
                # The database was restarted, perhaps; the client comes again.
                connection.close()
                raise ApiError(
                    503, "unavailable", "the database does not answer", {"Retry-After": "1"}
                ) from None
            finally:
                if not connection.closed:
                    self._idle.put(connection)

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=10,
                options=f"-c TimeZone={TIME_ZONE} -c default_transaction_read_only=on",
            )
        except psycopg.OperationalError:
            raise ApiError(503, "unavailable", "the database does not answer", {"Retry-After": "1"}) from None


def create_app(
    url: str,
    token: str,
    rate: float = DEFAULT_RATE,
    burst: int = DEFAULT_BURST,
    faults: Faults | None = None,
) -> FastAPI:
    """The server as an ASGI application.

    `url` is that of the database ``sim_payments``; `token` is what clients must bring. `rate` and `burst` are
    the calls a second and at once; `faults` makes some calls fail.
    """
    api = PaymentsApi(url, hashlib.sha256(f"cursor {token}".encode()).digest())
    limiter = RateLimit(rate, burst)
    draw = random.Random((faults or Faults()).seed)

    def guard(request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise ApiError(401, "unauthorized", "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        wait = limiter.take()
        if wait is not None:
            raise ApiError(429, "too_many_requests", "slow down", {"Retry-After": str(wait)})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        api.close()

    app = FastAPI(title="Payments", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    guarded = [Depends(guard)]

    @app.exception_handler(ApiError)
    def _error(request: Request, error: ApiError) -> Response:
        return error.response()

    @app.get("/healthz")
    def _health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/clock", dependencies=guarded)
    def _clock_call() -> dict[str, str]:
        return {"now": api.clock().isoformat()}

    @app.get("/v1/{table}/schema", dependencies=guarded)
    def _schema(table: str) -> dict[str, Any]:
        return {"columns": api.schema(table)}

    @app.get("/v1/{table}", dependencies=guarded)
    def _page(
        table: str,
        updated_since: str | None = None,
        updated_until: str | None = None,
        limit: str | None = None,
        cursor: str | None = None,
    ) -> Response:
        if cursor is not None and (updated_since is not None or updated_until is not None):
            raise ApiError(400, "invalid_parameter", "a cursor stands for its window: give it alone")
        body = api.page(
            table, _instant("updated_since", updated_since), _instant("updated_until", updated_until),
            _limit(limit), cursor,
        )  # fmt: skip
        return _with_faults(body)

    def _with_faults(body: str) -> Response:
        if faults is not None:
            fate = draw.random()
            if fate < faults.error:
                raise ApiError(500, "internal_error", "something went wrong")
            if fate < faults.error + faults.cut:
                return _CutShort(body)
            if fate < faults.error + faults.cut + faults.slow:
                time.sleep(faults.slow_seconds)
        return Response(body, media_type="application/json")

    return app


class _CutShort(Response):
    """Announces the whole body, sends half of it, and lets the server drop the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        body = bytes(self.body)
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


def serve(host: str = "127.0.0.1", port: int = 8791) -> None:
    """Serves the API until the process is told to end (`lifecourse simulate serve`).

    The token is ``LIFECOURSE_PAYMENTS_TOKEN``, else the secret ``payments_token``.
    """
    import uvicorn

    from lifecourse.secrets import secret
    from lifecourse.warehouse.connection import Role, warehouse

    faults = os.environ.get(FAULTS_VARIABLE)
    app = create_app(
        url=warehouse().url(Role.SIMULATOR, DATABASES[PAYMENTS]),
        token=os.environ.get("LIFECOURSE_PAYMENTS_TOKEN") or secret("payments_token"),
        faults=Faults.parse(faults) if faults else None,
    )
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


def _known(table: str) -> str:
    if table not in TABLES[PAYMENTS]:
        raise ApiError(404, "not_found", "there is no such table")
    return table


def _columns(connection: psycopg.Connection[Any], table: str) -> dict[str, str]:
    """Column -> type as Postgres writes it, as the table is now."""
    return dict(
        connection.execute(
            """
            select attname, format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
            order by attnum
            """,
            (f"public.{table}",),
        ).fetchall()
    )


def _select_list(columns: dict[str, str]) -> sql.Composed:
    # A JSON number would be read as a float by most clients: amounts are strings.
    return sql.SQL(", ").join(
        sql.SQL("{0}::text as {0}" if kind.startswith("numeric") else "{0}").format(sql.Identifier(name))
        for name, kind in columns.items()
    )


def _clock(connection: psycopg.Connection[Any]) -> datetime:
    """Half past midnight after the day the institution has lived through; the server's own time without one."""
    row = connection.execute("select to_regclass('simulator.clock') is not null, now()").fetchone()
    assert row is not None
    if row[0]:
        lived = connection.execute(
            "select (today + 1 + time '00:30') at time zone %s from simulator.clock", (TIME_ZONE,)
        ).fetchone()
        row = (True, lived[0] if lived else row[1])
    return row[1]


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        # A plus sign that was not percent-encoded arrives as a blank.
        instant = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", text))
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ApiError(400, "invalid_parameter", f"{name} must be an ISO 8601 instant with an offset")
    return instant


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise ApiError(400, "invalid_parameter", f"limit must be a number from 1 to {MAX_LIMIT}")
    return int(text)
