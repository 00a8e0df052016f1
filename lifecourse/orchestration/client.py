"""Airflow's REST interface, as far as we use it: trigger a run for a business day, wait and watch it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from lifecourse.errors import LifecourseError
from lifecourse.orchestration.home import AirflowHome

#: Seconds between two looks at a run.
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Task:
    """One task of a run as it stands."""

    name: str
    state: str | None
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def seconds(self) -> float | None:
        """How long it ran, where it has ended."""
        return (
            (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None
        )


@dataclass(frozen=True)
class Run:
    """One run of a DAG as it stands."""

    dag: str
    run_id: str
    state: str
    partition: str | None
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


class Client:
    """Talks to a running api-server as the login of its home. Use as a context manager."""

    def __init__(self, home: AirflowHome, timeout: float = 30, tries: int = 5) -> None:
        self.home = home
        self._tries = tries
        host = "127.0.0.1" if home.host in ("0.0.0.0", "::") else home.host
        # The port on this machine, not the address people use. Proxies of the environment are not for it.
        self._http = httpx.Client(base_url=f"http://{host}:{home.port}", timeout=timeout, trust_env=False)
        self._token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def not_ready(self, dags: int) -> str:
        """What is still missing before a run can be triggered; empty when ready.

        Raises `LifecourseError` where a DAG file cannot be read.
        """
        health = self._http.get("/api/v2/monitor/health")
        if health.status_code != 200:
            return "the web page"
        for part in ("metadatabase", "scheduler", "dag_processor"):
            if (health.json().get(part) or {}).get("status") != "healthy":
                return f"the {part.replace('_', ' ')}"
        broken = self._get("/api/v2/importErrors")["import_errors"]
        if broken:
            raise LifecourseError(
                f"{len(broken)} DAG files cannot be read",
                broken[0]["filename"],
                "open it; Airflow shows the error",
            )
        found = self._get("/api/v2/dags", limit=100)["total_entries"]
        return f"the DAG files ({found} of {dags} read)" if found < dags else ""

    def unpause(self, dag: str) -> None:
        """Lets the scheduler start runs of a DAG."""
        self._call(
            "PATCH", f"/api/v2/dags/{dag}", params={"update_mask": "is_paused"}, json={"is_paused": False}
        )

    def trigger(self, dag: str, partition: str | None, **conf: object) -> str:
        """Starts a run for a business day (``2026-03-01``); its run id."""
        run_id = f"manual__{partition or 'no_day'}__{secrets.token_hex(4)}"
        body = {"dag_run_id": run_id, "logical_date": None, "partition_key": partition, "conf": conf}
        # Named by us, so that asking a second time after a lost answer cannot start it twice.
        self._call("POST", f"/api/v2/dags/{dag}/dagRuns", json=body, fine=(409,))
        return run_id

    def run(self, dag: str, run_id: str) -> Run:
        """A run as it stands."""
        return _run(self._get(f"/api/v2/dags/{dag}/dagRuns/{run_id}"))

    def runs(self, dag: str, partition: str | None = None) -> list[Run]:
        """The latest runs of a DAG, newest first; only those of a business day where one is given."""
        found = self._get(f"/api/v2/dags/{dag}/dagRuns", limit=100, order_by="-run_after")["dag_runs"]
        runs = [_run(body) for body in found]
        return [run for run in runs if partition is None or run.partition == partition]

    def tasks(self, run: Run) -> list[Task]:
        """The tasks of a run as they stand, in the order they ran."""
        found = self._get(f"/api/v2/dags/{run.dag}/dagRuns/{run.run_id}/taskInstances", limit=100)
        tasks = [
            Task(
                name=body["task_id"],
                state=body["state"],
                try_number=body["try_number"],
                started_at=_instant(body["start_date"]),
                ended_at=_instant(body["end_date"]),
            )
            for body in found["task_instances"]
        ]
        return sorted(tasks, key=lambda task: (task.started_at is None, task.started_at or datetime.min))

    def wait_for(
        self,
        runs: Sequence[tuple[str, str]],
        timeout: float,
        check: Callable[[], None] = lambda: None,
        progress: Callable[[Run, list[Task]], None] = lambda run, tasks: None,
    ) -> list[Run]:
        """Waits until every (dag, run id) is done; raises `LifecourseError` if one fails or time runs out.

        `check` is called in between (raise there to give up), `progress` with every run that is watched.
        """
        deadline = time.monotonic() + timeout
        ended: dict[tuple[str, str], Run] = {}
        while True:
            check()
            for dag, run_id in runs:
                if (dag, run_id) in ended:
                    continue
                run = self.run(dag, run_id)
                tasks = self.tasks(run)
                progress(run, tasks)
                if run.state == "failed":
                    self._explain(run, tasks)
                if run.state == "success":
                    ended[dag, run_id] = run
            if len(ended) == len(runs):
                return [ended[key] for key in runs]
            if time.monotonic() > deadline:
                dag, run_id = next(key for key in runs if key not in ended)
                raise LifecourseError(
                    f"{dag} was not done within {timeout:.0f} s",
                    str(self.home.logs),
                    f"look at it on {self.home.url}/dags/{dag}/runs/{run_id}",
                )
            # Each look costs the api-server some hundredths of a second that tasks could use.
            time.sleep(POLL_SECONDS)

    def wait_for_run_of(
        self,
        dag: str,
        partition: str,
        timeout: float,
        known: frozenset[str] = frozenset(),
        check: Callable[[], None] = lambda: None,
    ) -> Run:
        """Waits until the scheduler has started a run of a DAG for a business day that is not in `known`."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            check()
            new = [run for run in self.runs(dag, partition) if run.run_id not in known]
            if new:
                return new[0]
            time.sleep(POLL_SECONDS)
        raise LifecourseError(
            f"the scheduler has started no run of {dag} for {partition} within {timeout:.0f} s",
            str(self.home.logs / "scheduler.log"),
            "have all three pull DAGs delivered that day? Is the DAG paused?",
        )

    def _explain(self, run: Run, tasks: list[Task]) -> None:
        failed = next((task for task in tasks if task.state == "failed"), None)
        what = f"task {failed.name} of {run.dag}" if failed else run.dag
        folder = self.home.logs / f"dag_id={run.dag}" / f"run_id={run.run_id}"
        where = folder / f"task_id={failed.name}" / f"attempt={failed.try_number}.log" if failed else folder
        raise LifecourseError(
            f"{what} has failed for {run.partition}",
            str(where),
            f"its last lines say what to do; the documentation of {run.dag} on {self.home.url} says more",
        )

    def _get(self, path: str, **params: object) -> Any:
        return self._call("GET", path, params=params)

    def _call(self, method: str, path: str, fine: Sequence[int] = (), **options: Any) -> Any:
        """The answer as JSON. What goes wrong on the way is tried again: a busy machine answers late."""
        if self._token is None:
            self._token = self._log_in()
        headers = {"Authorization": f"Bearer {self._token}"}
        answer = self._patiently(lambda: self._http.request(method, path, headers=headers, **options))
        if answer.is_error and answer.status_code not in fine:
            detail = ""
            if answer.headers.get("content-type", "").startswith("application/json"):
                detail = f": {answer.json().get('detail', '')}"
            raise LifecourseError(
                f"{method} {path} gave HTTP {answer.status_code}{detail}",
                str(self.home.logs / "api-server.log"),
                "read its last lines",
            )
        return answer.json() if answer.content else None

    def _log_in(self) -> str:
        name, password = self.home.login
        body = {"username": name, "password": password}
        answer = self._patiently(lambda: self._http.post("/auth/token", json=body))
        if answer.status_code != 201:
            raise LifecourseError(
                f"the login was refused (HTTP {answer.status_code})",
                self.home.url,
                "is another Airflow running on this port? Stop it, or set LIFECOURSE_AIRFLOW_PORT",
            )
        return str(answer.json()["access_token"])

    def _patiently(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        for attempt in range(self._tries):
            try:
                answer = ask()
            except httpx.TransportError:
                if attempt + 1 == self._tries:
                    raise
            else:
                if answer.status_code < 500 or attempt + 1 == self._tries:
                    return answer
            time.sleep(1 + attempt)
        raise AssertionError("unreachable")


def _run(body: dict[str, Any]) -> Run:
    return Run(
        dag=body["dag_id"],
        run_id=body["dag_run_id"],
        state=body["state"],
        partition=body.get("partition_key"),
        queued_at=_instant(body["queued_at"]),
        started_at=_instant(body["start_date"]),
        ended_at=_instant(body["end_date"]),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
