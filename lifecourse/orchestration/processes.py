"""Airflow's processes on one machine: started, watched, restarted when they die, stopped.

A pid file per process under ``<home>/airflow/pids`` says what we started, with its start time, so that a number
that the system has given to somebody else meanwhile is never taken for ours.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from lifecourse.errors import LifecourseError
from lifecourse.orchestration import stage
from lifecourse.orchestration.home import AirflowHome, prepare

log = logging.getLogger(__name__)

#: What has to run. No task defers, so that a triggerer has nothing to do on one machine; a server runs it too.
COMPONENTS = ("api-server", "dag-processor", "scheduler")
#: What a server runs, each in a container of its own.
SERVER_COMPONENTS = (*COMPONENTS, "triggerer")
#: How often one component may die in a row before we stop starting it again.
MAX_RESTARTS = 5
#: Seconds that a component has to live for its next death to be the first in a row.
LIVED_WELL = 120


@dataclass
class Airflow:
    """The running processes of one Airflow home."""

    home: AirflowHome
    components: tuple[str, ...] = COMPONENTS
    #: Processes beside Airflow's, such as a simulated source: name -> arguments for this Python.
    companions: dict[str, list[str]] = field(default_factory=dict)
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _restarts: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that is started and watched, sources first."""
        return (*self.companions, *self.components)

    def migrate(self) -> None:
        """Brings Airflow's own tables to its version; quick where they are."""
        self._run("migrate", "db", "migrate")

    def start(self) -> None:
        """Starts every component that does not run; returns at once (see `wait_ready`)."""
        for component in self.names:
            if self._running(component) is None:
                self._start(component)

    def wait_ready(
        self,
        dags: int,
        timeout: float = 180,
        progress: Callable[[str], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Waits until the web page answers, the scheduler beats and `dags` DAGs are there without errors.

        Raises `LifecourseError` naming the component and its log if one dies or time runs out. Returns early
        once `stop` says so.
        """
        from lifecourse.orchestration.client import Client

        deadline = time.monotonic() + timeout
        waiting = "the web page"
        while time.monotonic() < deadline and not stop():
            self.check()
            try:
                with Client(self.home, timeout=10, tries=1) as client:
                    waiting = client.not_ready(dags)
                    if not waiting:
                        return
            except httpx.TransportError:
                waiting = "the web page"
            progress(waiting)
            time.sleep(0.5)
        if stop():
            return
        raise LifecourseError(
            f"Airflow was not ready within {timeout:.0f} s, still waiting for {waiting}",
            str(self.home.logs),
            "read the last lines of the logs there; `scripts/doctor` looks at memory, disk and ports",
        )

    def check(self) -> None:
        """Raises `LifecourseError` if a component has died."""
        for component in self.names:
            if self._running(component) is None:
                raise LifecourseError(
                    f"{component} has stopped",
                    str(self._log(component)),
                    "read its last lines; `scripts/doctor` looks at memory, disk and ports",
                )

    def keep_running(self) -> None:
        """Starts again whatever has died; `LifecourseError` where the same component dies again and again."""
        for component in self.names:
            if self._running(component) is not None:
                continue
            if any(time.time() - latest["started"] > LIVED_WELL for latest in self._started(component)[:1]):
                self._restarts.pop(component, None)
            self._restarts[component] = self._restarts.get(component, 0) + 1
            if self._restarts[component] > MAX_RESTARTS:
                self.check()
            log.warning("%s has stopped; starting it again, its log is %s", component, self._log(component))
            self._start(component)

    def stop(self, patience: float = 20) -> None:
        """Stops every component, tasks included: asks first, ends what has not gone after `patience` seconds."""
        family = self._family()
        # A leader tells its children; what was orphaned by a kill has nobody to tell it.
        pids = {process.pid for process in family}
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.ppid() not in pids:
                    process.terminate()
        _, alive = psutil.wait_procs(family, timeout=patience, callback=self._reap)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(alive, timeout=5, callback=self._reap)
        for component in self.names:
            self._pid_file(component).unlink(missing_ok=True)
        self._children.clear()

    def running(self) -> dict[str, int]:
        """Pid of every component that runs."""
        found = {component: self._running(component) for component in self.names}
        return {component: process.pid for component, process in found.items() if process is not None}

    def _run(self, name: str, *arguments: str) -> None:
        log_file = self._log(name)
        with open(log_file, "ab") as output:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                env=self.home.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode != 0:
            raise LifecourseError(
                f"`airflow {' '.join(arguments)}` ended with status {done.returncode}",
                str(log_file),
                "read its last lines; is the warehouse running?",
            )

    def _start(self, component: str) -> None:
        self.home.logs.mkdir(parents=True, exist_ok=True)
        with open(self._log(component), "ab") as output:
            child = subprocess.Popen(
                [sys.executable, *self.companions.get(component, ["-m", "airflow", component])],
                env=self.home.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal is ours to handle: tasks get the time that `stop` gives them.
                start_new_session=True,
            )
        self._children[component] = child
        pid_file = self._pid_file(component)
        pid_file.parent.mkdir(exist_ok=True)
        now = {"pid": child.pid, "started": psutil.Process(child.pid).create_time()}
        pid_file.write_text(
            json.dumps([now, *self._started(component)][: MAX_RESTARTS + 1]), encoding="utf-8"
        )

    def _running(self, component: str) -> psutil.Process | None:
        child = self._children.get(component)
        if child is not None and child.poll() is not None:
            return None
        for latest in self._started(component)[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(int(latest["pid"]))
                is_ours = abs(process.create_time() - latest["started"]) < 0.01
                return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
        return None

    def _family(self) -> list[psutil.Process]:
        """Every process of ours, those of components that were killed included: each began a session."""
        sessions = {one["pid"]: one["started"] for name in self.names for one in self._started(name)}
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                began = sessions.get(os.getsid(process.pid))
                if began is not None and process.create_time() >= began - 0.01:
                    found.append(process)
        return found

    def _started(self, component: str) -> list[dict[str, float]]:
        """Pid and start time of a component, the latest first."""
        try:
            noted = json.loads(self._pid_file(component).read_text(encoding="utf-8"))
            return [{"pid": int(one["pid"]), "started": float(one["started"])} for one in noted]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _reap(self, process: psutil.Process) -> None:
        for child in self._children.values():
            if child.pid == process.pid:
                child.poll()

    def _log(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"

    def _pid_file(self, component: str) -> Path:
        return self.home.path / "pids" / f"{component}.json"


def running_airflow() -> Airflow | None:
    """The Airflow of the settings' home if one of its components runs, else None."""
    from lifecourse.orchestration.home import existing

    home = existing()
    on_stage = stage.current()
    companions = on_stage.companions if on_stage else {}
    airflow = Airflow(home, companions=companions) if home else None
    return airflow if airflow and airflow.running() else None


def exec_component(component: str) -> None:
    """Becomes one component of Airflow (in a container of its own); does not return."""
    home = prepare()
    command = [sys.executable, "-m", "airflow", component]
    os.execve(command[0], command, home.environment())
