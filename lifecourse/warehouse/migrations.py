"""Runs migrations/NNNN_name.sql, each in a transaction of its own, each once, in the order of their numbers.

A migration that has run is never edited: its SHA-256 is kept, and another text under its number is refused.
Statements run as the role lifecourse_loader; a migration may ``set local role`` to another owner.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.locks import LOCK_MIGRATE
from lifecourse.warehouse.roles import Role

Connection = psycopg.Connection[tuple[Any, ...]]
FOLDER = Path(__file__).parent / "migrations"


class MigrationError(LifecourseError):
    """The database's migrations and the code's do not fit, or one failed."""


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        # Line ends may change on the way through version control; the meaning does not.
        return hashlib.sha256(self.text.replace("\r\n", "\n").encode()).hexdigest()


def found(folder: Path = FOLDER) -> list[Migration]:
    """The migrations in the folder by number. Raises MigrationError for a name or number out of order."""
    migrations = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if not match:
            raise MigrationError("not named NNNN_name.sql", str(path), "rename it")
        migrations.append(
            Migration(int(match.group(1)), match.group(2), path, path.read_text(encoding="utf-8"))
        )
    numbers = [migration.version for migration in migrations]
    if numbers != list(range(1, len(numbers) + 1)):
        raise MigrationError(f"numbers {numbers} are not 1, 2, 3, ...", str(folder), "renumber the newest")
    return migrations


def migrate(warehouse: Warehouse, folder: Path = FOLDER) -> list[Migration]:
    """Bring the warehouse's schema up to this code's, and return what was run.

    Raises MigrationError when the database is newer than the code, when a migration that ran was edited, and
    when one fails (nothing of it is kept, the ones before it are).
    """
    migrations = found(folder)
    ran = []
    with warehouse.connect(Role.ADMIN, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", (LOCK_MIGRATE,))
        done = _done(connection)
        _check(migrations, done)
        for migration in migrations:
            if migration.version not in done:
                _run(connection, migration)
                ran.append(migration)
    return ran


def pending(warehouse: Warehouse, folder: Path = FOLDER) -> list[Migration]:
    """The migrations that have not run yet. Raises MigrationError as `migrate` does."""
    migrations = found(folder)
    with warehouse.connect(Role.ADMIN, autocommit=True) as connection:
        done = _done(connection)
    _check(migrations, done)
    return [migration for migration in migrations if migration.version not in done]


def _done(connection: Connection) -> dict[int, tuple[str, str]]:
    exists = connection.execute("select to_regclass('meta.migration') is not null").fetchone()
    if not exists or not exists[0]:
        return {}
    rows = connection.execute(
        "select version, name, checksum from meta.migration order by version"
    ).fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _check(migrations: list[Migration], done: dict[int, tuple[str, str]]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, (name, checksum) in done.items():
        if version not in known:
            raise MigrationError(
                f"the database has migration {version:04} ({name}), which this code does not know: it is newer",
                do="use the version of Lifecourse that made it, or a newer one",
            )
        if known[version].checksum != checksum:
            raise MigrationError(
                f"migration {version:04} has run as {name} with another text than the file has now",
                str(known[version].path),
                "restore the file, and put the change into a new migration",
            )


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(Role.LOADER.login)))
            connection.execute(migration.text.encode())
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(Role.LOADER.login)))
            connection.execute(
                "insert into meta.migration (version, name, checksum) values (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = f":{migration.text[: int(position)].count(chr(10)) + 1}" if position else ""
        raise MigrationError(
            f"failed and was rolled back: {sanitised(error)}",
            f"{migration.path}{line}",
            "mend what the message names, then run `lifecourse warehouse migrate` again",
        ) from None
