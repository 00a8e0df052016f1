"""The real thing: our DAG files under a running scheduler, dag-processor, api-server and triggerer.

The institution here has no system that serves a kind, so that pulls have nothing to do and the schedule itself can
be looked at; nights with data in them are played by the pipeline tests and the demo.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.orchestration.cli import DAGS
from lifecourse.orchestration.client import Client
from lifecourse.orchestration.home import prepare
from lifecourse.orchestration.processes import SERVER_COMPONENTS, Airflow
from lifecourse.orchestration.settings import orchestration_settings
from lifecourse.settings import PROJECT, settings
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.setup import set_up

# Airflow's processes cost half a minute to start: they are started once, and tests share them.
pytestmark = pytest.mark.slow

CANARY = "13800138000"

ALWAYS_FAILS = f'''
"""A task that fails every time, with the alert of our DAG files."""
from datetime import timedelta
from airflow.sdk import dag, task
from pull_signup import alert

@dag(
    schedule=None,
    default_args={{"retries": 2, "retry_delay": timedelta(seconds=1), "on_failure_callback": alert}},
)
def always_fails():
    @task
    def fail():
        raise ValueError("the row of {CANARY}")
    fail()

always_fails()
'''

NO_SYSTEM_OF_ANY_KIND = """
system: bank
serves: payments
kind: files
directory: {folder}
holds_build: false
tables:
  - {{name: things, format: csv, pattern: "*.csv", key: [id], columns: {{id: {{type: text}}}}}}
"""


@pytest.fixture(scope="module")
def alerts() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook: its address and what it was sent."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", taken
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def airflow(
    module_warehouse: Warehouse,
    alerts: tuple[str, list[dict[str, Any]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Airflow]:
    """Our DAGs and one that fails, under everything a server runs."""
    folder = tmp_path_factory.mktemp("scheduler")
    shutil.copytree(PROJECT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dags" / "always_fails.py").write_text(ALWAYS_FAILS, encoding="utf-8")
    (folder / "sources").mkdir()
    bank = NO_SYSTEM_OF_ANY_KIND.format(folder=folder / "bills")
    (folder / "sources" / "bank.yml").write_text(bank, encoding="utf-8")
    (folder / "bills").mkdir()
    (folder / "bills" / "things.csv").write_text("id\n1\n", encoding="utf-8")
    set_up(module_warehouse, ["airflow"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFECOURSE_HOME", str(folder / "home"))
        patch.setenv("LIFECOURSE_DAGS_DIR", str(folder / "dags"))
        patch.setenv("LIFECOURSE_SOURCES_DIR", str(folder / "sources"))
        # Builds have nothing to build here and end at their first step.
        patch.setenv("LIFECOURSE_DBT_PROJECT_DIR", str(folder / "none"))
        patch.setenv("LIFECOURSE_AIRFLOW_CLOCK", "false")
        patch.setenv("LIFECOURSE_AIRFLOW_PORT", "28080")
        patch.setenv("LIFECOURSE_ALERT_WEBHOOK_URL", alerts[0])
        # The home changes, the roles' passwords must not.
        for role in ("loader", "transformer", "publisher", "airflow"):
            patch.setenv(f"LIFECOURSE_SECRET_WAREHOUSE_{role.upper()}", module_warehouse.password(role))  # type: ignore[arg-type]
        settings.cache_clear()
        orchestration_settings.cache_clear()
        running = Airflow(prepare(), components=SERVER_COMPONENTS)
        try:
            running.migrate()
            running.start()
            running.wait_ready(len(DAGS) + 1, timeout=300)
            yield running
        finally:
            running.stop()
    settings.cache_clear()
    orchestration_settings.cache_clear()


@pytest.fixture
def client(airflow: Airflow) -> Iterator[Client]:
    with Client(airflow.home) as client:
        yield client


def pull(client: Client, **days: str) -> None:
    """Pulls of kinds for days, side by side, until they are done."""
    client.wait_for(
        [(f"pull_{kind}", client.trigger(f"pull_{kind}", day)) for kind, day in days.items()], 240
    )


def test_build_starts_once_when_all_three_have_delivered_the_same_day(client: Client) -> None:
    # Every kind has delivered something then, but not the same day: an ordinary asset schedule would start.
    pull(client, signup="2026-03-01", teaching="2026-03-01", payments="2026-02-28")
    time.sleep(3)
    assert client.runs("build_marts") == []
    pull(client, payments="2026-03-01", bills="2026-03-01")
    run = client.wait_for_run_of("build_marts", "2026-03-01", 30)
    assert run.run_id.startswith("asset_triggered__")
    time.sleep(2)
    assert [(r.partition, r.run_id) for r in client.runs("build_marts")] == [("2026-03-01", run.run_id)]


def test_a_pull_without_a_business_day_fails_at_once(client: Client) -> None:
    run_id = client.trigger("pull_signup", None)
    with pytest.raises(LifecourseError, match="task pull of pull_signup has failed"):
        client.wait_for([("pull_signup", run_id)], 60)
    task = client.tasks(client.run("pull_signup", run_id))[0]
    assert (task.name, task.state, task.try_number) == ("pull", "failed", 1)
    log = log_of(client, "pull_signup", run_id, "pull", 1)
    assert "the run has no business day" in log and "trigger it with a partition key" in log


def test_alert_comes_once_and_after_the_last_retry(
    client: Client, alerts: tuple[str, list[dict[str, Any]]]
) -> None:
    before = len(alerts[1])
    run_id = client.trigger("always_fails", None)
    with pytest.raises(LifecourseError, match="task fail of always_fails has failed"):
        client.wait_for([("always_fails", run_id)], 120)
    (task,) = client.tasks(client.run("always_fails", run_id))
    sent = [alert for alert in alerts[1][before:] if alert["dag"] == "always_fails"]
    assert task.try_number == 3
    assert [alert["tries"] for alert in sent] == [3]
    assert "ValueError" in sent[0]["error"] and CANARY not in json.dumps(sent)
    assert sent[0]["log_url"].startswith(client.home.url)


def test_a_killed_scheduler_is_started_again_and_goes_on(airflow: Airflow, client: Client) -> None:
    os.kill(airflow.running()["scheduler"], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while "scheduler" in airflow.running():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with pytest.raises(LifecourseError, match="scheduler has stopped"):
        airflow.check()
    airflow.keep_running()
    pull(client, signup="2026-03-02")


def test_health_check_of_a_server(airflow: Airflow) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lifecourse.orchestration.cli", "ready"],
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ready")


def test_a_container_becomes_its_component(airflow: Airflow, tmp_path: Path) -> None:
    """What docker-compose.yml starts: the command turns into Airflow's own process."""
    with open(tmp_path / "log", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lifecourse.orchestration.cli", "run", "triggerer"],
            env=os.environ | {"PYTHONPATH": str(PROJECT), "LIFECOURSE_HOME": str(tmp_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not any("airflow" in part for part in psutil.Process(process.pid).cmdline()):
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        assert "triggerer" in " ".join(psutil.Process(process.pid).cmdline())
        assert (tmp_path / "airflow" / "airflow.cfg").exists()
    finally:
        process.terminate()
        process.wait(30)


def test_stop_leaves_nothing_behind(airflow: Airflow) -> None:
    """Last of this file: it stops what the others share."""
    assert len(airflow.running()) == len(SERVER_COMPONENTS)
    # The scheduler that was killed above has left its log server behind.
    family = airflow._family()
    assert len(family) > len(SERVER_COMPONENTS)
    airflow.stop()
    assert airflow.running() == {}
    assert [p.pid for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE] == []
    with pytest.raises(LifecourseError, match="has stopped"):
        airflow.check()


def log_of(client: Client, dag: str, run_id: str, task: str, attempt: int) -> str:
    """A task's log as it stands in the log folder."""
    folder = client.home.logs / f"dag_id={dag}" / f"run_id={run_id}" / f"task_id={task}"
    return (folder / f"attempt={attempt}.log").read_text(encoding="utf-8")
