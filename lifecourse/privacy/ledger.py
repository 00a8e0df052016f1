"""The ledger of erasure requests: rows of vault.erasure_request, and a file beside the database.

The file outlives the database: after a restore it says who had been erased when the backup was not yet taken back.
It holds no value and no key, only the HMACs by which they are known again (`lifecourse.privacy.marks`).
"""

from __future__ import annotations

import csv
import fcntl
import getpass
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from lifecourse.errors import LifecourseError
from lifecourse.privacy.subject import Subject
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Request:
    """A row of the ledger."""

    request_id: str
    requested_at: datetime
    requested_by: str
    came_by: str
    customer_id: str | None
    learner_id: str | None
    reason: str
    status: str
    subject: Subject | None
    applied_at: datetime | None
    honoured_at: datetime | None
    report: dict[str, Any] | None


_COLUMNS = (
    "request_id::text, requested_at, requested_by, came_by, customer_id, learner_id, reason, status, subject,"
    " applied_at, honoured_at, report"
)


def ask(
    customer_id: str | None = None,
    learner_id: str | None = None,
    reason: str = "request of the person",
    came_by: str = "command",
    of: Warehouse | None = None,
) -> str:
    """Write a request into the ledger; its id. One that is open for the same person is returned as it is.

    Raises `LifecourseError` unless exactly one of the two ids is given.
    """
    if (customer_id is None) == (learner_id is None):
        raise LifecourseError("a request names a customer or a learner", None, "give one of the two")
    with (of or warehouse()).connect(Role.LOADER) as connection:
        known = connection.execute(
            "select request_id::text from vault.erasure_request where status in ('open', 'applied')"
            " and customer_id is not distinct from %s and learner_id is not distinct from %s",
            (customer_id, learner_id),
        ).fetchone()
        if known:
            return str(known[0])
        row = connection.execute(
            "insert into vault.erasure_request (requested_by, came_by, customer_id, learner_id, reason)"
            " values (%s, %s, %s, %s, %s) returning request_id::text",
            (getpass.getuser(), came_by, customer_id, learner_id, reason),
        ).fetchone()
        connection.commit()
    assert row is not None
    return str(row[0])


def inbox() -> Path:
    """Where files with requests are put: CSV with the columns customer_id or learner_id, and reason."""
    return settings().home / "privacy" / "requests"


def read_inbox(of: Warehouse | None = None) -> int:
    """Takes the requests in the inbox into the ledger and removes the files, which name people; how many."""
    taken = 0
    for path in sorted(inbox().glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        if rows and not {"customer_id", "learner_id"} & set(rows[0]):
            raise LifecourseError(
                "has no column customer_id or learner_id", path.name, "name the person in one of the two"
            )
        for row in rows:
            customer, learner = (row.get(name) or None for name in ("customer_id", "learner_id"))
            ask(
                customer,
                None if customer else learner,
                row.get("reason") or "request of the person",
                "file",
                of,
            )
            taken += 1
        path.unlink()
    return taken


def requests(of: Warehouse | None = None, *statuses: str) -> list[Request]:
    """The ledger, or its requests with these statuses; the oldest first."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        rows = connection.execute(
            f"select {_COLUMNS} from vault.erasure_request where %(all)s or status = any(%(statuses)s)"
            " order by requested_at, request_id",
            {"all": not statuses, "statuses": list(statuses)},
        ).fetchall()
    found = []
    for *told, subject, applied_at, honoured_at, report in rows:
        person = Subject(**subject) if subject else None
        told = [*told, person, applied_at, honoured_at, report]
        found.append(Request(*told))
    return found


def ledger_file() -> Path:
    return settings().home / "privacy" / "erasure_ledger.jsonl"


def write_file(connection: Connection) -> None:
    """Adds to the file what it does not hold yet. Safe to run again; a line half written is written anew."""
    path = ledger_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = {line["request_id"] for line in _lines(file.read())}
        for request_id, requested_at, came_by, reason, applied_at in connection.execute(
            "select request_id::text, requested_at, came_by, reason, applied_at from vault.erasure_request"
            " where status in ('applied', 'honoured') order by applied_at"
        ).fetchall():
            if request_id in known:
                continue
            keys = connection.execute(
                "select kind, encode(key_hmac, 'hex'), pseudonym from vault.suppressed_key where request_id = %s",
                (request_id,),
            ).fetchall()
            values = connection.execute(
                "select kind, encode(value_hmac, 'hex') from vault.suppressed_value where request_id = %s",
                (request_id,),
            ).fetchall()
            line = {
                "request_id": request_id,
                "requested_at": requested_at.isoformat(),
                "applied_at": applied_at.isoformat(),
                "came_by": came_by,
                "reason": reason,
                "keys": [list(row) for row in keys],
                "values": [list(row) for row in values],
            }
            file.write("\n" + json.dumps(line))
        file.flush()
        os.fsync(file.fileno())


def read_file() -> list[dict[str, Any]]:
    """The requests that the file holds and that still hold, the oldest first."""
    try:
        lines = _lines(ledger_file().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    lifted = {line["request_id"] for line in lines if line.get("is_lifted")}
    return [line for line in lines if line["request_id"] not in lifted]


def lift(request_id: str, of: Warehouse | None = None) -> None:
    """Lets sources bring rows of an erased person again: somebody has come back. What was erased stays so.

    Raises `LifecourseError` unless the request was honoured.
    """
    with (of or warehouse()).connect(Role.LOADER) as connection:
        lifted = connection.execute(
            "update vault.erasure_request set status = 'lifted' where request_id::text = %s and status = 'honoured'",
            (request_id,),
        ).rowcount
        if not lifted:
            raise LifecourseError(
                "no such request was honoured", request_id, "`lifecourse privacy requests` lists them"
            )
        for table in ("suppressed_key", "suppressed_value"):
            connection.execute(f"delete from vault.{table} where request_id = %s", (request_id,))
        with ledger_file().open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps({"request_id": request_id, "is_lifted": True}))
            file.flush()
            os.fsync(file.fileno())
        connection.commit()


def _lines(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # empty, or cut short by a kill: the request is still in the database
    return found
