"""Alerts: after the last retry only, by webhook and mail, and with nothing in them that must stay in the house."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.orchestration import alerts
from lifecourse.orchestration.alerts import (
    Alert,
    alert_of,
    send,
    task_failed,
    webhook_body,
)
from lifecourse.orchestration.cli import DAGS
from lifecourse.orchestration.settings import orchestration_settings

CANARY = "张小明 13800138000"
TOKEN = "hook-token-7f3a"


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No alert goes anywhere unless a test says so, and nobody waits between tries."""
    for name in ("ALERT_WEBHOOK_URL", "ALERT_MAIL_TO", "SMTP_USER"):
        monkeypatch.delenv(f"LIFECOURSE_{name}", raising=False)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    orchestration_settings.cache_clear()
    yield
    orchestration_settings.cache_clear()


def context(error: BaseException | None) -> dict[str, Any]:
    task_instance = SimpleNamespace(
        dag_id="pull_signup",
        task_id="pull",
        run_id="scheduled__2026-03-02",
        try_number=4,
        log_url="http://127.0.0.1:8080/dags/pull_signup",
    )
    # Row values may stand in what tasks return and in parameters; none of it belongs into an alert.
    return {
        "ti": task_instance,
        "dag_run": SimpleNamespace(partition_key="2026-03-01", conf={"note": CANARY}),
        "params": {"note": CANARY},
        "exception": error,
    }


@dataclass
class Receiver:
    """A web server that keeps what it is sent."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    answer: tuple[int, dict[str, Any]] = (200, {})


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = receiver.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/{TOKEN}"
    monkeypatch.setenv("LIFECOURSE_ALERT_WEBHOOK_URL", receiver.url)
    orchestration_settings.cache_clear()
    yield receiver
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A mail server that takes anything; the messages it took."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            while line := self.rfile.readline():
                word = line.split()[0].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = []
                    while (text := self.rfile.readline()) != b".\r\n":
                        lines.append(text.decode())
                    taken.append("".join(lines))
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("LIFECOURSE_ALERT_MAIL_TO", "night@school.example, data@school.example")
        monkeypatch.setenv("LIFECOURSE_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("LIFECOURSE_SMTP_PORT", str(server.server_address[1]))
        orchestration_settings.cache_clear()
        yield taken
        server.shutdown()


def test_says_what_failed_for_which_day_and_what_to_do(webhook: Receiver) -> None:
    task_failed(context(LifecourseError("column phone is missing", "table leads", "mend sources/signup.yml")))
    (body,) = webhook.bodies
    assert body["subject"] == "[lifecourse] pull_signup.pull has failed for 2026-03-01"
    assert "table leads: column phone is missing What to do: mend sources/signup.yml" in body["text"]
    assert body["tries"] == 4
    assert body["log_url"] in body["text"]


def test_goes_by_mail_as_well(webhook: Receiver, mailbox: list[str]) -> None:
    assert send(alert_of(context(LifecourseError("no disk")))) == ["webhook", "mail"]
    (message,) = mailbox
    assert "To: night@school.example, data@school.example" in message
    assert "Subject: [lifecourse] pull_signup.pull has failed for 2026-03-01" in message
    assert "Error: no disk" in message
    assert len(webhook.bodies) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ValueError(f"invalid literal: {CANARY}"), id="a parser quotes what it read"),
        pytest.param(
            psycopg.errors.UniqueViolation(f"Key (phone)=({CANARY})"),
            id="Postgres quotes the key",
        ),
        pytest.param(KeyError(CANARY), id="a key"),
        pytest.param(None, id="killed: the scheduler knows no exception"),
    ],
)
def test_holds_no_value_of_a_row(webhook: Receiver, error: BaseException | None) -> None:
    task_failed(context(error))
    (body,) = webhook.bodies
    sent = json.dumps(body, ensure_ascii=False)
    assert CANARY not in sent and "13800138000" not in sent
    assert "pull_signup" in sent


def test_holds_no_secret(webhook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFECOURSE_SECRET_AIRFLOW_LOGIN", "password-9c1e")
    task_failed(context(LifecourseError("no disk")))
    assert "password-9c1e" not in json.dumps(webhook.bodies)
    assert TOKEN not in json.dumps(webhook.bodies)


def test_a_dead_webhook_neither_raises_nor_tells_its_address(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LIFECOURSE_ALERT_WEBHOOK_URL", f"http://127.0.0.1:9/{TOKEN}")
    orchestration_settings.cache_clear()
    # httpx names the address in its own log lines, at a level that is off in tasks.
    caplog.set_level(logging.INFO, logger=alerts.log.name)
    task_failed(context(LifecourseError("no disk")))
    assert "could not be sent by webhook: ConnectError" in caplog.text
    assert TOKEN not in caplog.text


def test_tries_again_where_the_receiver_stumbles(webhook: Receiver) -> None:
    webhook.answer = (503, {})
    assert send(alert_of(context(None))) == []
    assert len(webhook.bodies) == 3


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ("wecom", {"errcode": 93000}),
        ("dingtalk", {"errcode": 310000}),
        ("feishu", {"code": 19001}),
    ],
)
def test_notices_a_refusal_that_comes_as_200(
    webhook: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    refusal: dict[str, Any],
) -> None:
    monkeypatch.setenv("LIFECOURSE_ALERT_WEBHOOK_FORMAT", form)
    orchestration_settings.cache_clear()
    webhook.answer = (200, refusal)
    assert send(alert_of(context(None))) == []
    webhook.answer = (200, dict.fromkeys(refusal, 0))
    assert send(alert_of(context(None))) == ["webhook"]


@pytest.mark.parametrize("form", ["plain", "slack", "wecom", "dingtalk", "feishu"])
def test_every_receiver_gets_the_whole_text(form: str) -> None:
    alert = Alert("build_marts", "audit", "r1", "2026-03-01", 4, "volume halved", "http://x/log")
    # As the receiver reads it: line breaks are escaped in JSON.
    assert json.dumps(alert.text)[1:-1] in json.dumps(webhook_body(alert, form))


def test_says_so_when_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert send(alert_of(context(None))) == []
    assert "set LIFECOURSE_ALERT_WEBHOOK_URL" in caplog.text


@pytest.mark.parametrize("name", DAGS)
def test_airflow_calls_it_when_a_task_has_failed_for_good_and_not_before(
    dag_bag: Any, name: str, webhook: Receiver
) -> None:
    """Through the very code that ends a task in a worker."""
    import structlog
    from airflow.sdk import TaskInstanceState
    from airflow.sdk.execution_time.task_runner import finalize

    for task in dag_bag.dags[name].tasks:
        error = LifecourseError("the source cannot be reached")
        facts = context(error) | {"task": task, "outlet_events": {}}
        instance: Any = SimpleNamespace(
            task=task,
            start_date=None,
            end_date=None,
            stats_tags={},
            dag_id=name,
            task_id=task.task_id,
        )
        for state in (
            TaskInstanceState.UP_FOR_RETRY,
            TaskInstanceState.SUCCESS,
            TaskInstanceState.SKIPPED,
        ):
            finalize(instance, state, facts, structlog.get_logger(), error)  # type: ignore[arg-type]
            assert webhook.bodies == [], state
        finalize(instance, TaskInstanceState.FAILED, facts, structlog.get_logger(), error)  # type: ignore[arg-type]
        assert len(webhook.bodies) == 1
        webhook.bodies.clear()
