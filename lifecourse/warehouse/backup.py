"""Backup and restore of the warehouse's database, by pg_dump and pg_restore.

A backup knows people who were erased after it was taken. So a restore ends with the erasure ledger, which lives
outside the database: nobody can look into the restored warehouse before it has been replayed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.roles import BRANCH, CONTACT, LOGINS, WAREHOUSE, Role
from lifecourse.warehouse.setup import drop_databases, make_database, open_clone, set_up

#: Who may not connect while a restored database still knows the erased.
_KEPT_OUT = (Role.BI_READER, Role.ANALYST, Role.VAULT_READER)


def backup(warehouse: Warehouse, file: Path) -> None:
    """Writes the database into `file` (pg_dump's own format), readable by its owner only.

    Raises `LifecourseError` where pg_dump is missing or fails.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + ".unfinished")
    unfinished.touch(mode=0o600)
    _run(warehouse, "pg_dump", warehouse.name_of(), "--format=custom", f"--file={unfinished}")
    unfinished.replace(file)


def restore(warehouse: Warehouse, file: Path) -> int:
    """Puts the backup in the place of the database; how many people were erased again.

    Readers are let in when that is done. A restore that was interrupted is run again.
    """
    from lifecourse.privacy import erasure

    drop_databases(warehouse, [WAREHOUSE])
    # Roles are there; schemas with their owners and rights come with the dump.
    with warehouse.connect_maintenance() as connection:
        make_database(connection, warehouse, WAREHOUSE)
    _run(warehouse, "pg_restore", warehouse.name_of(), "--exit-on-error", str(file))
    open_clone(warehouse)
    set_up(warehouse, [WAREHOUSE])
    _let_in(warehouse, False)
    done = erasure.replay(warehouse)
    _let_in(warehouse, True)
    return len(done)


def _let_in(warehouse: Warehouse, may: bool) -> None:
    verb, word = ("grant", "to") if may else ("revoke", "from")
    with warehouse.connect_maintenance() as connection:
        for login in (*(LOGINS[role] for role in _KEPT_OUT), BRANCH, CONTACT):
            connection.execute(
                sql.SQL(f"{verb} connect on database {{}} {word} {{}}").format(
                    sql.Identifier(warehouse.name_of()), sql.Identifier(login)
                )
            )


def _run(warehouse: Warehouse, program: str, database: str, *arguments: str) -> None:
    done = subprocess.run(
        [
            _program(program), f"--host={warehouse.host}", f"--port={warehouse.port}",
            f"--username={warehouse.login(Role.ADMIN)}", "--no-password", f"--dbname={database}", *arguments,
        ],
        env={**os.environ, "PGPASSWORD": warehouse.password(Role.ADMIN), **_tls(warehouse)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        # What it says may quote rows: only the first words of each line's kind are told.
        said = sorted(
            {line.split(":")[1].strip() for line in done.stderr.splitlines() if line.count(":") > 1}
        )
        raise LifecourseError(
            f"{program} ended with {done.returncode} ({', '.join(said[:3]) or 'no word'})",
            database,
            "see that there is room on the disk, and that its version is not older than the server's",
        )


def _tls(warehouse: Warehouse) -> dict[str, str]:
    return {"PGSSLMODE": warehouse.parameters["sslmode"]} if "sslmode" in warehouse.parameters else {}


def _program(name: str) -> str:
    """That of the wheel, which is newer than any server it meets, else that on the path."""
    found = _of_the_wheel(name) or shutil.which(name)
    if not found:
        raise LifecourseError(
            f"there is no {name} on this machine", "PATH", "install the client programs of PostgreSQL"
        )
    return found


def _of_the_wheel(name: str) -> str | None:
    from lifecourse.warehouse.embedded import wheel_binaries

    try:
        path = wheel_binaries() / name
    except LifecourseError:
        return None
    return str(path) if path.exists() else None
