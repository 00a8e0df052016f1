"""Data tests asked without dbt: dbt writes their SQL, a few sessions ask them one after the other.

dbt runs every test as a node of its own, with a tenth of a second around it whatever it reads. Here a test is one
statement of a session that stays. What comes of it is told for every test by its name, as dbt tells it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import sanitised

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Question:
    """A data test as dbt compiled it: the rows that it returns fail it, in the words of its configuration."""

    unique_id: str
    name: str
    body: str
    fail_calc: str = "count(*)"
    warn_if: str = "!= 0"
    error_if: str = "!= 0"
    is_error: bool = True


@dataclass(frozen=True)
class Answer:
    """How a test ended (pass, warn, fail or error), and what the database said against asking."""

    unique_id: str
    status: str
    failing_rows: int | None
    seconds: float
    message: str = ""

    @property
    def is_good(self) -> bool:
        return self.status in ("pass", "warn")


def is_plain(test: Any) -> bool:
    """Whether a test only counts. One that stores its failures or limits them is left to dbt."""
    config = test.config
    return not config.store_failures and config.limit is None and not config.get("sql_header")


def question(test: Any, body: str) -> Question:
    """The test of dbt's manifest with its compiled SQL."""
    config = test.config
    return Question(
        test.unique_id, test.name, body, config.fail_calc, config.warn_if, config.error_if,
        config.severity.upper() == "ERROR",
    )  # fmt: skip


def ask(
    questions: Iterable[Question],
    connect: Callable[[], Connection],
    sessions: int,
    done: Callable[[Answer], None],
) -> list[Answer]:
    """Ask the tests, in their order.

    `connect` opens a session in autocommit; as many as `sessions` are used. `done` is told of each test as it is
    answered, from several threads.
    """
    waiting = list(questions)
    queue = iter(waiting)

    def drain(_: int) -> list[Answer]:
        answers = []
        with connect() as connection:
            while (test := next(queue, None)) is not None:
                answers.append(answer := _ask(connection, test))
                level = logging.INFO if answer.is_good else logging.ERROR
                log.log(level, "%s %s: %s in %.2f s", "test", test.name, answer.status, answer.seconds)
                done(answer)
        return answers

    workers = max(1, min(sessions, len(waiting)))
    with ThreadPoolExecutor(workers, thread_name_prefix="tests") as pool:
        return [each for found in pool.map(drain, range(workers)) for each in found]


def _ask(connection: Connection, test: Question) -> Answer:
    began = time.monotonic()
    try:
        row = connection.execute(_count(test)).fetchone()
    except psycopg.DatabaseError as error:
        if connection.broken:
            raise
        return Answer(test.unique_id, "error", None, time.monotonic() - began, sanitised(error))
    assert row is not None
    failing, should_warn, should_error = row
    status = "fail" if test.is_error and should_error else "warn" if should_warn else "pass"
    return Answer(test.unique_id, status, failing, time.monotonic() - began)


def _count(test: Question) -> sql.Composed:
    count = sql.SQL(test.fail_calc)
    # The body ends in a line of its own: its last may be a comment.
    return sql.SQL("select {count}, {count} {}, {count} {} from (\n{}\n) as failing").format(
        sql.SQL(test.warn_if), sql.SQL(test.error_if), sql.SQL(test.body), count=count
    )
