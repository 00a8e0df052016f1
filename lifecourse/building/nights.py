"""Models of a night sent to the database without dbt: dbt writes their SQL once, a few sessions send it every night.

Around a model that computes a few customers dbt takes a tenth of a second; a night has some two hundred models. What is
sent is what dbt would send (macros in dbt_project/macros/materializations/night.sql), each model as one transaction, a
model after those that it reads.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg

from lifecourse.building.testing import Connection
from lifecourse.building.unchanged import Memory
from lifecourse.errors import sanitised

log = logging.getLogger(__name__)

#: Stands for the model's own SQL in what is sent around it.
BODY = "@@the SQL of the model@@"
#: What is told of a model that was not sent, since what it reads had not changed.
UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Step:
    """A model: what is sent for it, and the models of this night that it reads."""

    unique_id: str
    name: str
    statements: str
    reads: frozenset[str] = frozenset()
    is_view: bool = False


@dataclass(frozen=True)
class Ending:
    """How a model ended (success, error, or skipped where one that it reads failed); in `message` why, or UNCHANGED."""

    unique_id: str
    status: str
    seconds: float = 0.0
    message: str = ""

    @property
    def is_good(self) -> bool:
        return self.status == "success"


def statements(ways: Iterable[str], relation: str, body: str) -> str:
    """What is sent for a model: the first way, or the last where the model reads its own table."""
    first, *others = ways
    way = others[-1] if others and relation in body else first
    # The body ends in a line of its own: its last may be a comment.
    return way.replace(BODY, f"{body}\n")


def run(
    steps: Iterable[Step],
    connect: Callable[[], Connection],
    sessions: int,
    done: Callable[[Ending], None],
    memory: Memory | None = None,
) -> list[Ending]:
    """Send the models, each after those it reads, on as many sessions as `sessions`.

    `memory`: what is known of the night before; a model of which nothing has changed since is not sent. `connect` opens
    a session in autocommit. `done` is told of each model as it ends, from several threads. What a failed model's readers
    would read is not there: they are skipped, the others go on. Raises what the database raises when a session is lost.
    """
    night = _Night({step.unique_id: step for step in steps})

    def drain(_: int) -> None:
        with connect() as connection:
            while (step := night.next()) is not None:
                try:
                    ending = _send(connection, step, memory)
                except BaseException:
                    night.give_up()
                    raise
                level = logging.INFO if ending.is_good else logging.ERROR
                said = ending.message if ending.is_good and ending.message else ending.status
                log.log(level, "%s %s: %s in %.2f s", "model", step.name, said, ending.seconds)
                done(ending)
                night.ended(ending)

    workers = max(1, min(sessions, len(night.steps)))
    with ThreadPoolExecutor(workers, thread_name_prefix="models") as pool:
        list(pool.map(drain, range(workers)))
    return night.endings


def _send(connection: Connection, step: Step, memory: Memory | None) -> Ending:
    began = time.monotonic()
    remembered = memory if memory and not step.is_view else None
    inputs = remembered.inputs(step.name) if remembered else None
    if remembered and remembered.is_current(step.name, inputs):
        return Ending(step.unique_id, "success", time.monotonic() - began, UNCHANGED)
    try:
        with connection.transaction():
            has_changed = _has_changed(connection.execute(step.statements.encode()))
            line = remembered.note(connection, step.name, inputs, has_changed) if remembered else None
    except psycopg.DatabaseError as error:
        if connection.broken:
            raise
        return Ending(step.unique_id, "error", time.monotonic() - began, sanitised(error))
    if remembered and line:
        remembered.keep(step.name, line)
    return Ending(step.unique_id, "success", time.monotonic() - began)


def _has_changed(results: psycopg.Cursor[Any]) -> bool:
    """Whether what was sent has changed a row: emptied the table, deleted from it, or inserted into it at last."""
    deleted = inserted = 0
    while True:
        verb, *counts = (results.statusmessage or "").split() or [""]
        if verb == "TRUNCATE":
            return True
        if verb == "DELETE":
            deleted += int(counts[-1])
        elif verb == "INSERT":
            inserted = int(counts[-1])
        if not results.nextset():
            return deleted + inserted > 0


@dataclass
class _Night:
    """What is left to do, for several threads: those with the most models behind them come first."""

    steps: Mapping[str, Step]
    endings: list[Ending] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.changed = threading.Condition()
        self.readers: dict[str, list[str]] = {key: [] for key in self.steps}
        self.waits_for: dict[str, set[str]] = {}
        for key, step in self.steps.items():
            self.waits_for[key] = {other for other in step.reads if other in self.steps}
            for other in self.waits_for[key]:
                self.readers[other].append(key)
        self.behind = {key: len(self._all_readers(key)) for key in self.steps}
        self.ready = [(-self.behind[key], key) for key, left in self.waits_for.items() if not left]
        heapq.heapify(self.ready)
        self.running = 0
        self.is_given_up = False

    def next(self) -> Step | None:
        """A model whose turn has come, or none when there is none left; waits while one may yet come."""
        with self.changed:
            while not self.ready and self.running and not self.is_given_up:
                self.changed.wait()
            if self.is_given_up or not self.ready:
                return None
            self.running += 1
            return self.steps[heapq.heappop(self.ready)[1]]

    def ended(self, ending: Ending) -> None:
        with self.changed:
            self.running -= 1
            self.endings.append(ending)
            if ending.is_good:
                for reader in self.readers[ending.unique_id]:
                    self.waits_for[reader].discard(ending.unique_id)
                    if not self.waits_for[reader]:
                        heapq.heappush(self.ready, (-self.behind[reader], reader))
            else:
                known = {each.unique_id for each in self.endings}
                skipped = sorted(self._all_readers(ending.unique_id) - known)
                self.endings += [Ending(each, "skipped") for each in skipped]
            self.changed.notify_all()

    def give_up(self) -> None:
        with self.changed:
            self.is_given_up = True
            self.changed.notify_all()

    def _all_readers(self, key: str) -> set[str]:
        found: set[str] = set()
        left = list(self.readers[key])
        while left:
            reader = left.pop()
            if reader not in found:
                found.add(reader)
                left += self.readers[reader]
        return found
