"""The payments API and the reader that pulls from it, over a real socket and a real database."""

from __future__ import annotations

import itertools
import json
import logging
import random
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
import uvicorn

from lifecourse.errors import LifecourseError
from lifecourse.simulator.payments_api import DEFAULT_LIMIT, MAX_LIMIT, Faults, RateLimit, create_app
from lifecourse.simulator.schema import PAYMENTS, TABLES, create_indexes, create_table
from lifecourse.sources.base import Unit, Window
from lifecourse.sources.rest import ATTEMPTS, RestReader
from lifecourse.sources.spec import SystemSpec
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.setup import set_up

DATABASE = "sim_payments"
TOKEN = "t0ken-that-must-stay-secret"
START = datetime(2026, 3, 1, tzinfo=UTC)
#: More than a second apart from any clock: no test depends on it.
FAST = {"rate": 1e9, "burst": 10**9}


@pytest.fixture(scope="module")
def database(module_warehouse: Warehouse) -> str:
    """URL of an empty sim_payments as its owner."""
    set_up(module_warehouse, [DATABASE])
    with module_warehouse.connect(Role.SIMULATOR, DATABASE) as connection:
        for table in TABLES[PAYMENTS]:
            connection.execute(create_table(PAYMENTS, table))
            for statement in create_indexes(table):
                connection.execute(statement)
    return module_warehouse.url(Role.SIMULATOR, DATABASE)


@pytest.fixture
def owner(database: str) -> Iterator[psycopg.Connection[Any]]:
    """The vendor's own session; the tables are emptied first."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("set time zone 'UTC'")
        connection.execute(f"truncate {', '.join(TABLES[PAYMENTS])}")
        yield connection


def add(owner: psycopg.Connection[Any], rows: dict[str, datetime], amount: str = "12.30") -> None:
    """Compensations (the plainest table) with these ids and change times."""
    with owner.cursor() as cursor:
        cursor.executemany(
            "insert into compensations (compensation_id, learner_id, kind, amount, hours, currency, granted_at, updated_at)"
            " values (%s, '1', 'cash', %s, 1.5, 'CNY', %s, %s)",
            [(key, amount, at, at) for key, at in rows.items()],
        )


@contextmanager
def serving(database: str, **how: Any) -> Iterator[str]:
    """The server in a thread of its own; its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        app = create_app(database, TOKEN, **(FAST | how))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def address(database: str) -> Iterator[str]:
    with serving(database) as url:
        yield url


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def spec_of(url: str, page_size: int = 7, token: str = TOKEN) -> SystemSpec:
    return SystemSpec.model_validate(
        {
            "system": "payments",
            "serves": "payments",
            "kind": "rest",
            "url": url,
            "token": token,
            "page_size": page_size,
            "tables": [{"name": "compensations", "maps_to": "compensations"}],
        }
    )


def pull(reader: RestReader, after: datetime | None, until: datetime) -> list[dict[str, Any]]:
    with reader:
        batches = reader.read(reader.spec.tables[0], Unit(), Window(after, until))
        return [row for batch in batches for row in batch.to_pylist()]


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["compensation_id"] for row in rows]


class TestServer:
    def test_amounts_are_strings_and_instants_carry_their_offset(
        self, owner: psycopg.Connection[Any], client: httpx.Client
    ) -> None:
        add(owner, {"C1": START}, "9999999999999999.99")
        answer = client.get("/v1/compensations", params={"updated_until": "2027-01-01T00:00:00+08:00"}).json()
        assert answer["data"] == [
            {
                "compensation_id": "C1",
                "learner_id": "1",
                "complaint_id": None,
                "kind": "cash",
                "amount": "9999999999999999.99",
                "hours": "1.50",
                "currency": "CNY",
                "granted_at": "2026-03-01T08:00:00+08:00",
                "updated_at": "2026-03-01T08:00:00+08:00",
            }
        ]
        assert answer["next_cursor"] is None

    def test_every_table_is_served(self, owner: psycopg.Connection[Any], client: httpx.Client) -> None:
        for table in TABLES[PAYMENTS]:
            assert client.get(f"/v1/{table}").json()["data"] == []
            columns = client.get(f"/v1/{table}/schema").json()["columns"]
            assert [column["name"] for column in columns] == list(TABLES[PAYMENTS][table])

    def test_the_window_is_open_at_its_start_and_closed_at_its_end(
        self, owner: psycopg.Connection[Any], client: httpx.Client
    ) -> None:
        add(owner, {f"C{n}": START + timedelta(microseconds=n) for n in range(4)})
        window = {
            "updated_since": START.isoformat(),
            "updated_until": (START + timedelta(microseconds=2)).isoformat(),
        }
        assert ids(client.get("/v1/compensations", params=window).json()["data"]) == ["C1", "C2"]

    def test_the_clock_is_the_institutions_own(
        self, owner: psycopg.Connection[Any], client: httpx.Client
    ) -> None:
        """Its days are not today's: night has just begun after the last day it has lived through."""
        owner.execute("create schema simulator")
        owner.execute("create table simulator.clock as select date '2031-03-01' as today")
        try:
            assert client.get("/v1/clock").json() == {"now": "2031-03-02T00:30:00+08:00"}
            add(owner, {"C1": START, "C2": datetime(2031, 3, 1, 16, 30, 0, 1, UTC)})
            answer = client.get("/v1/compensations").json()
            assert (ids(answer["data"]), answer["updated_until"]) == (["C1"], "2031-03-02T00:30:00+08:00")
        finally:
            owner.execute("drop schema simulator cascade")

    def test_no_other_table_of_the_database_is_served(self, client: httpx.Client) -> None:
        for path in ("/v1/pg_class", "/v1/pg_class/schema", "/v1/orders;drop"):
            assert client.get(path).status_code == 404

    @pytest.mark.parametrize("given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}])
    def test_nobody_gets_in_without_the_token(self, address: str, given: dict[str, str]) -> None:
        for path in ("/v1/orders", "/v1/clock", "/v1/orders/schema"):
            answer = httpx.get(f"{address}{path}", headers=given)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert httpx.get(f"{address}/healthz").status_code == 200

    @pytest.mark.parametrize(
        "parameters",
        [
            {"limit": "0"},
            {"limit": str(MAX_LIMIT + 1)},
            {"limit": "ten"},
            {"updated_since": "yesterday"},
            {"updated_since": "2026-03-01T00:00:00"},
            {"cursor": "bm9uc2Vuc2U="},
            {"cursor": "%"},
            {"cursor": "x", "updated_since": "2026-03-01T00:00:00Z"},
        ],
    )
    def test_a_wrong_parameter_is_told(self, client: httpx.Client, parameters: dict[str, str]) -> None:
        answer = client.get("/v1/orders", params=parameters)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] in ("invalid_parameter", "invalid_cursor")

    def test_a_cursor_is_good_for_its_table_alone_and_cannot_be_forged(
        self, owner: psycopg.Connection[Any], client: httpx.Client
    ) -> None:
        add(owner, {"C1": START, "C2": START})
        cursor = client.get("/v1/compensations", params={"limit": "1"}).json()["next_cursor"]
        assert client.get("/v1/compensations", params={"cursor": cursor}).status_code == 200
        assert client.get("/v1/orders", params={"cursor": cursor}).status_code == 400
        forged = cursor[:-6] + ("A" if cursor[-6] != "A" else "B") + cursor[-5:]
        assert client.get("/v1/compensations", params={"cursor": forged}).status_code == 400

    def test_pages_are_of_the_size_asked_for(
        self, owner: psycopg.Connection[Any], client: httpx.Client
    ) -> None:
        add(owner, {f"C{n:04}": START for n in range(DEFAULT_LIMIT + 1)})
        assert len(client.get("/v1/compensations").json()["data"]) == DEFAULT_LIMIT
        assert len(client.get("/v1/compensations", params={"limit": "3"}).json()["data"]) == 3

    def test_too_many_calls_are_told_when_to_come_back(self, database: str) -> None:
        with serving(database, rate=0.25, burst=2) as url:
            answers = [
                httpx.get(f"{url}/v1/clock", headers={"Authorization": f"Bearer {TOKEN}"}) for _ in range(3)
            ]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["Retry-After"]) <= 4


class TestRateLimit:
    def test_a_bucket_empties_and_fills_again(self) -> None:
        now = 0.0
        limit = RateLimit(rate=2, burst=3, clock=lambda: now)
        assert [limit.take() for _ in range(4)] == [None, None, None, 1]
        now = 0.5
        assert [limit.take(), limit.take()] == [None, 1]
        now = 100.0
        assert [limit.take() for _ in range(4)] == [None, None, None, 1]


class TestFaultSwitch:
    def test_is_read_from_text(self) -> None:
        assert Faults.parse("error=0.1,cut=0.2,seed=7") == Faults(error=0.1, cut=0.2, seed=7)
        with pytest.raises(ValueError, match="fire"):
            Faults.parse("fire=1")


class TestPull:
    def test_rows_arrive_typed_and_exact(self, owner: psycopg.Connection[Any], address: str) -> None:
        add(owner, {"C1": START + timedelta(microseconds=123456)}, "9999999999999999.99")
        (row,) = pull(RestReader(spec_of(address)), None, START + timedelta(days=1))
        assert row == {
            "compensation_id": "C1",
            "learner_id": "1",
            "complaint_id": None,
            "kind": "cash",
            "amount": Decimal("9999999999999999.99"),
            "hours": Decimal("1.50"),
            "currency": "CNY",
            "granted_at": START + timedelta(microseconds=123456),
            "updated_at": START + timedelta(microseconds=123456),
            "_cast_error": None,
        }

    @pytest.mark.parametrize("page_size", [1, 2, 7, 1000])
    def test_pages_join_without_gap_whatever_their_size(
        self, owner: psycopg.Connection[Any], address: str, page_size: int
    ) -> None:
        # Many rows of one instant: a page may end in the middle of them.
        rows = {f"C{n:03}": START + timedelta(seconds=n // 10) for n in range(35)}
        add(owner, rows)
        pulled = pull(RestReader(spec_of(address, page_size)), None, START + timedelta(days=1))
        assert ids(pulled) == sorted(rows)

    def test_only_changes_of_the_window_come(self, owner: psycopg.Connection[Any], address: str) -> None:
        add(owner, {f"C{n}": START + timedelta(hours=n) for n in range(6)})
        pulled = pull(RestReader(spec_of(address)), START + timedelta(hours=1), START + timedelta(hours=4))
        assert ids(pulled) == ["C2", "C3", "C4"]

    def test_nothing_changed_is_no_batch(self, owner: psycopg.Connection[Any], address: str) -> None:
        with RestReader(spec_of(address)) as reader:
            assert list(reader.read(reader.spec.tables[0], Unit(), Window(None, START))) == []

    def test_the_clock_has_a_zone_and_columns_have_types(
        self, owner: psycopg.Connection[Any], address: str
    ) -> None:
        with RestReader(spec_of(address)) as reader:
            assert reader.clock().tzinfo is not None
            columns = {column.name: column.type for column in reader.columns(reader.spec.tables[0])}
        assert columns["amount"] == "numeric(18,2)"
        assert columns["updated_at"] == "timestamp with time zone"

    @pytest.mark.parametrize("seed", range(5))
    def test_no_row_is_lost_or_doubled_while_rows_change_and_the_server_fails(
        self, database: str, owner: psycopg.Connection[Any], seed: int
    ) -> None:
        """Between two pages rows change, come and go; whatever stays within the window comes exactly once."""
        draw = random.Random(seed)
        until = START + timedelta(hours=1)
        rows = {f"C{n:03}": START + timedelta(seconds=draw.randrange(60)) for n in range(60)}
        add(owner, rows)
        later = (until + timedelta(seconds=n) for n in itertools.count(1))
        changed: set[str] = set()
        added = itertools.count()

        def disturb(_: httpx.Response) -> None:
            for key in draw.sample(sorted(rows), 3):
                changed.add(key)
                owner.execute(
                    "update compensations set updated_at = %s where compensation_id = %s", (next(later), key)
                )
            add(owner, {f"N{next(added)}": next(later)})

        with serving(database, faults=Faults(error=0.15, cut=0.15, seed=seed)) as url:
            reader = RestReader(spec_of(url, page_size=4), sleep=lambda _: None)
            with reader:
                assert reader._client is not None
                reader._client.event_hooks["response"].append(disturb)
                batches = reader.read(reader.spec.tables[0], Unit(), Window(None, until))
                first = [row["compensation_id"] for batch in batches for row in batch.to_pylist()]
            second = ids(
                pull(RestReader(spec_of(url, 1000), sleep=lambda _: None), until, until + timedelta(days=1))
            )

        assert len(first) == len(set(first))
        assert set(first) | set(second) >= set(rows)
        assert set(first) >= set(rows) - changed
        assert set(second) >= changed


def answers(*given: httpx.Response | Exception) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A transport that gives these answers in turn, the last one for ever; and what was asked."""
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = given[min(len(asked), len(given)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handle), asked


EMPTY_PAGE = httpx.Response(200, json={"data": [], "next_cursor": None})
ROW = {
    "compensation_id": "C1", "learner_id": "1", "complaint_id": None, "kind": "cash", "amount": "1.00",
    "hours": None, "currency": "CNY", "granted_at": "2026-03-01T08:00:00+08:00",
    "updated_at": "2026-03-01T08:00:00+08:00",
}  # fmt: skip


class TestPatience:
    def reader(
        self, *given: httpx.Response | Exception
    ) -> tuple[RestReader, list[httpx.Request], list[float]]:
        transport, asked = answers(*given)
        slept: list[float] = []
        return RestReader(spec_of("http://payments.test"), transport, slept.append), asked, slept

    def test_429_waits_as_long_as_it_is_asked_to(self) -> None:
        busy = httpx.Response(429, headers={"Retry-After": "17"})
        reader, asked, slept = self.reader(busy, busy, EMPTY_PAGE)
        assert pull(reader, None, START) == []
        assert slept == [17.0, 17.0]
        assert len({str(request.url) for request in asked}) == 1

    def test_a_very_long_wait_is_cut(self) -> None:
        reader, _, slept = self.reader(httpx.Response(503, headers={"Retry-After": "86400"}), EMPTY_PAGE)
        pull(reader, None, START)
        assert slept == [60.0]

    def test_a_date_in_the_past_is_no_wait(self) -> None:
        past = httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
        reader, _, slept = self.reader(past, EMPTY_PAGE)
        pull(reader, None, START)
        assert slept == [0.0]

    @pytest.mark.parametrize(
        "failure",
        [
            httpx.Response(500),
            httpx.Response(502),
            httpx.Response(429),
            httpx.ConnectError("refused"),
            httpx.ReadTimeout("slow"),
            httpx.RemoteProtocolError("cut"),
        ],
    )
    def test_what_may_pass_is_tried_again_with_pauses(self, failure: httpx.Response | Exception) -> None:
        reader, asked, slept = self.reader(failure, failure, failure, EMPTY_PAGE)
        assert pull(reader, None, START) == []
        assert (len(asked), len(slept)) == (4, 3)
        assert all(0 <= pause <= 60 for pause in slept)

    def test_in_the_end_it_gives_up_and_says_what_failed(self) -> None:
        reader, asked, _ = self.reader(httpx.Response(500))
        with pytest.raises(
            LifecourseError, match=f"/v1/compensations failed {ATTEMPTS} times, at last with status 500"
        ):
            pull(reader, None, START)
        assert len(asked) == ATTEMPTS

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (httpx.Response(400), "gives 400"),
            (httpx.Response(401), "token is refused"),
            (httpx.Response(404), "no such table"),
            (httpx.Response(200, text="<html>"), "no JSON object"),
            (httpx.Response(200, json={"rows": []}), "no list of rows"),
            (
                httpx.Response(200, json={"data": [ROW | {"amount": "1"}], "next_cursor": "same"}),
                "same cursor twice",
            ),
            (
                httpx.Response(200, json={"data": [{k: v for k, v in ROW.items() if k != "amount"}]}),
                "missing column: amount",
            ),
        ],
    )
    def test_what_will_not_pass_stops_at_once(self, answer: httpx.Response, message: str) -> None:
        reader, _, slept = self.reader(answer)
        with pytest.raises(LifecourseError, match=message):
            pull(reader, None, START)
        assert slept == []

    def test_a_value_that_cannot_be_cast_is_named_and_the_row_stays(self) -> None:
        broken = ROW | {"amount": "a lot", "granted_at": "2026-03-01T08:00:00"}
        reader, *_ = self.reader(httpx.Response(200, json={"data": [broken], "next_cursor": None}))
        (row,) = pull(reader, None, START)
        assert (row["amount"], row["granted_at"], row["_cast_error"]) == (None, None, "amount,granted_at")

    def test_json_numbers_stay_exact(self) -> None:
        content = json.dumps({"data": [ROW], "next_cursor": None}).replace('"1.00"', "9999999999999999.99")
        reader, *_ = self.reader(httpx.Response(200, text=content))
        assert pull(reader, None, START)[0]["amount"] == Decimal("9999999999999999.99")

    def test_an_api_without_a_schema_call_shows_the_columns_of_a_row(self) -> None:
        reader, *_ = self.reader(httpx.Response(404), httpx.Response(200, json={"data": [ROW]}))
        with reader:
            assert [column.name for column in reader.columns(reader.spec.tables[0])] == list(ROW)


class TestTheTokenStaysSecret:
    """No failure shows the token, nor what the server said, nor what a row held."""

    def failing(self, make: Callable[[httpx.Request], httpx.Response], token: str = TOKEN) -> str:
        reader = RestReader(
            spec_of("http://payments.test", token=token), httpx.MockTransport(make), sleep=lambda _: None
        )
        with pytest.raises(LifecourseError) as caught:
            pull(reader, None, START)
        return "".join(traceback.format_exception(caught.value)) + repr(caught.value)

    def fail(self, request: httpx.Request) -> httpx.Response:
        raise httpx.LocalProtocolError(f"Illegal header value {request.headers['Authorization']!r}")

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 429, 500, 503])
    def test_with_any_status(self, status: int, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        said = self.failing(
            lambda request: httpx.Response(status, text=f"no {request.headers['Authorization']} 李雷")
        )
        for text in (said, caplog.text):
            assert TOKEN not in text
            assert "李雷" not in text

    def test_when_the_connection_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        said = self.failing(self.fail)
        assert TOKEN not in said
        assert TOKEN not in caplog.text

    def test_a_line_break_after_the_token_makes_no_illegal_header(
        self, owner: psycopg.Connection[Any], address: str
    ) -> None:
        add(owner, {"C1": START})
        assert ids(pull(RestReader(spec_of(address, token=f"{TOKEN}\n")), None, START)) == ["C1"]
