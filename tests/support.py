"""What several test folders need of the simulated institution."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import psycopg
import uvicorn

from lifecourse.loading import deliver, merge_system, pull_system
from lifecourse.secrets import secret
from lifecourse.simulator.bills import write_bills
from lifecourse.simulator.fault_plan import FaultPlan, Kind
from lifecourse.simulator.payments_api import create_app
from lifecourse.warehouse.connection import Role, Warehouse

SYSTEMS = ("teaching", "signup", "payments", "bills")


@contextmanager
def payments_server(warehouse: Warehouse) -> Iterator[str]:
    """The payment system's API on a free loopback port; its address."""
    app = create_app(
        warehouse.url(Role.SIMULATOR, "sim_payments"), secret("payments_token"), rate=1000, burst=2000
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the payments API did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def write_last_bills(
    warehouse: Warehouse, day: date, home: Path, days: int = 3, same_bill_twice: float = 0.0
) -> None:
    """The channels' bills of the last days up to `day`, into ``<home>/simulator/bills``."""
    with psycopg.connect(warehouse.url(Role.SIMULATOR, "sim_payments")) as connection:
        folder = home / "simulator" / "bills"
        plan = FaultPlan(faults={Kind.SAME_BILL_TWICE: same_bill_twice})
        write_bills(connection, folder, day - timedelta(days=days - 1), day, plan=plan)


def run_night(warehouse: Warehouse, day: date, systems: tuple[str, ...] = SYSTEMS) -> None:
    """Pull, merge and deliver one business day of every system."""
    for system in systems:
        report = pull_system(system, day, warehouse)
        assert report.errors == {}, report.errors
        refused = merge_system(system, day, warehouse).refused
        assert refused == {}, refused
        deliver(system, day, warehouse)
