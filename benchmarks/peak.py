"""Peak memory of this process and of the Postgres server behind it, sampled while a step runs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from lifecourse.warehouse.connection import Role, Warehouse

#: Reading the memory map of every process takes tens of milliseconds, which the step measured would pay for.
SAMPLE_SECONDS = 3.0
MIB = 1024 * 1024


@dataclass
class Peak:
    """The most memory seen, in bytes; pages that processes share are counted once (PSS)."""

    total: int = 0
    #: False where the server runs elsewhere: then only this process is in `total`.
    has_server: bool = True

    @property
    def text(self) -> str:
        return f"{self.total / MIB:,.0f}{'' if self.has_server else ' (without server)'}"


def server_process(target: Warehouse) -> psutil.Process | None:
    """The postmaster, if it runs on this machine and its memory may be read."""
    if target.host not in ("127.0.0.1", "localhost", "::1"):
        return None
    with target.connect(Role.LOADER) as connection:
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        with contextlib.suppress(psutil.Error):
            backend = psutil.Process(row[0])
            parent = backend.parent()
            if parent is not None and "postgres" in backend.name():
                parent.memory_full_info()
                return parent
    return None


def processor_seconds(server: psutil.Process | None) -> float:
    """Processor seconds of this process and of the server with its sessions so far, those that have ended too.

    On a machine that others use as well, their difference over a step says more than the clock.
    """
    total = time.process_time()
    if server is None:
        return total
    with contextlib.suppress(psutil.Error):
        spent = server.cpu_times()
        total += spent.user + spent.system + spent.children_user + spent.children_system
        for each in server.children():
            with contextlib.suppress(psutil.Error):
                session = each.cpu_times()
                total += session.user + session.system
    return total


@contextlib.contextmanager
def peak_memory(server: psutil.Process | None) -> Iterator[Peak]:
    """Samples this process with its children, and the server with its sessions, every few seconds."""
    peak, over = Peak(has_server=server is not None), threading.Event()
    roots = [psutil.Process(), *([server] if server else [])]

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            peak.total = max(peak.total, sum(_memory(root) for root in roots))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _memory(root: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.Error):
        for each in [root, *root.children(recursive=True)]:
            # A session may have ended since it was listed.
            with contextlib.suppress(psutil.Error):
                info = each.memory_full_info()
                total += getattr(info, "pss", info.uss)
    return total
