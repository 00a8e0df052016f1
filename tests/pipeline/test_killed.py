"""Killed with SIGKILL at random instants, and run again: raw and marts are those of an undisturbed night.

`LIFECOURSE_TEST_KILLS` says how often (default 3: the night's process twice, Postgres once). The scheduler is
killed in tests/dags/test_scheduler.py.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from lifecourse.secrets import secret
from lifecourse.settings import PROJECT, settings
from lifecourse.simulator.institution import Institution
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Warehouse
from lifecourse.warehouse.embedded import HOST, EmbeddedPostgres
from lifecourse.warehouse.setup import set_up
from tests.contents import contents, differing
from tests.support import write_last_bills

pytestmark = pytest.mark.slow

NIGHTS = (date(2026, 3, 1), date(2026, 3, 2))
KILLS = int(os.environ.get("LIFECOURSE_TEST_KILLS", "3"))


@dataclass
class Server:
    """An embedded server that may be killed, and the home of everything of this test."""

    postgres: EmbeddedPostgres
    home: Path

    def warehouse(self, suffix: str) -> Warehouse:
        port = self.postgres.port() or self.postgres.start()
        return Warehouse(host=HOST, port=port, suffix=suffix)

    def kill(self) -> None:
        """SIGKILL to the postmaster, as the system does to a process that takes too much memory."""
        pid = int((self.home / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        self.postgres.start()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    import tempfile

    home = Path(tempfile.mkdtemp(prefix="lifecourse-test-killed-"))
    home.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFECOURSE_HOME", str(home))
        patch.delenv("LIFECOURSE_WAREHOUSE_URL", raising=False)
        settings.cache_clear()
        postgres = EmbeddedPostgres(home, usual_port=27432)
        postgres.start()
        yield Server(postgres, home)
        postgres.remove()
    settings.cache_clear()


class Api:
    """The payment system in a process of its own: it outlives the night."""

    def __init__(self, environment: dict[str, str], port: int) -> None:
        code = f"from lifecourse.simulator.payments_api import serve; serve(port={port})"
        self.process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=PROJECT)

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


def _free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _live(
    server: Server, suffix: str, kills: random.Random | None, seconds: float
) -> tuple[list[dict[str, str]], float]:
    """Two nights, killed `KILLS` times if `kills` is given; the contents after each, and a night's seconds."""
    warehouse = server.warehouse(suffix)
    set_up(warehouse)
    home = server.home / f"institution{suffix}"
    port = _free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        SUFFIX_VARIABLE: suffix,
        "LIFECOURSE_PAYMENTS_URL": f"http://127.0.0.1:{port}",
        "LIFECOURSE_PAYMENTS_TOKEN": secret("payments_token"),
        "LIFECOURSE_BILLS_DIR": str(home / "simulator" / "bills"),
        "LIFECOURSE_HOME": str(server.home),
    }
    institution = Institution(customers=1000, faults="default", home=home)
    institution.create(warehouse)
    after = []
    began = time.monotonic()
    with Api(environment, port):
        for number, night in enumerate(NIGHTS):
            if number:
                institution.advance(warehouse)
            write_last_bills(warehouse, night, home)
            victims = ["night", "postgres", "night"] * KILLS
            for victim in (
                victims[number * (KILLS // 2) : (KILLS // 2) if number == 0 else KILLS] if kills else []
            ):
                _start_and_kill(server, environment, night, victim, kills.uniform(1, seconds))
                warehouse = server.warehouse(suffix)
            done = subprocess.run(
                [sys.executable, "-m", "tests.night", str(night)], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=1200,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr[-3000:]
            after.append(contents(warehouse))
    return after, (time.monotonic() - began) / len(NIGHTS)


def _start_and_kill(
    server: Server, environment: dict[str, str], night: date, victim: str, after: float
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.night", str(night)], env=environment, cwd=PROJECT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        if victim == "postgres":
            server.kill()
            process.wait(timeout=300)  # it stumbles over the lost connection, or had just finished
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_night_that_is_killed_ends_like_one_that_is_not(server: Server) -> None:
    undisturbed, seconds = _live(server, "_whole", None, 0)
    assert any(name.startswith("marts.fct_") for name in undisturbed[0])
    killed, _ = _live(server, "_killed", random.Random(20260301), seconds)
    for night, expected, found in zip(NIGHTS, undisturbed, killed, strict=True):
        assert not differing(expected, found), f"after the night of {night}"
