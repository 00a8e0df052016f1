"""``lifecourse doctor``: is everything there that the warehouse needs, and if not, what to do.

Looks only; changes nothing. Three kinds of findings: fine, worth knowing, wrong.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

import psutil
import psycopg
import typer
from packaging.requirements import Requirement
from rich.console import Console

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.settings import PROJECT, settings
from lifecourse.warehouse import migrations
from lifecourse.warehouse.connection import Role, Warehouse, WarehouseUnreachable, from_url, warehouse
from lifecourse.warehouse.embedded import HOST, EmbeddedPostgres, memory_bytes
from lifecourse.warehouse.roles import DATABASES, LOGINS, QUIET_SETTINGS
from lifecourse.warehouse.setup import OLDEST_VERSION

GIB = 1024**3
#: Airflow, dbt and the server together take about 3 GiB at night.
MEMORY_WRONG, MEMORY_LOW = 2 * GIB, 4 * GIB
DISK_WRONG, DISK_LOW = 2 * GIB, 10 * GIB
PYTHONS = ((3, 11), (3, 13))
#: The clocks of the server and of this machine may differ by this much: windows of a pull are cut by a clock.
CLOCK_SECONDS = 30
LOG_PORTS = {8793: "task logs", 8794: "trigger logs"}


class Level(Enum):
    FINE = "[green]fine[/] "
    NOTE = "[yellow]note[/] "
    WRONG = "[bold red]wrong[/]"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and what to do unless it is fine."""

    level: Level
    what: str
    do: str | None = None


def fine(what: str) -> Finding:
    return Finding(Level.FINE, what)


def note(what: str, do: str | None = None) -> Finding:
    return Finding(Level.NOTE, what, do)


def wrong(what: str, do: str) -> Finding:
    return Finding(Level.WRONG, what, do)


def doctor() -> None:
    """Look at Python, memory, disk, ports, secrets, Postgres and Airflow, and say what is wrong and what to do.

    Changes nothing. Exit code 1 when something is wrong.
    """
    console = Console(highlight=False)
    is_wrong = False
    for subject, finding in examine():
        console.print(f"{finding.level.value}  [bold]{subject:9}[/] {finding.what}", soft_wrap=True)
        if finding.do:
            console.print(f"                 What to do: {finding.do}", soft_wrap=True)
        is_wrong = is_wrong or finding.level is Level.WRONG
    if is_wrong:
        raise typer.Exit(1)


def examine() -> Iterator[tuple[str, Finding]]:
    """Subject and finding of every check; a check that fails itself is a finding, too."""
    for subject, check in CHECKS.items():
        try:
            for finding in check():
                yield subject, finding
        except LifecourseError as error:
            yield (
                subject,
                wrong(f"{error.where}: {error.what}" if error.where else error.what, error.do or "see above"),
            )
        except psycopg.Error as error:
            yield subject, wrong(sanitised(error), "`lifecourse warehouse setup`, then look again")
        except Exception as error:
            yield (
                subject,
                wrong(f"could not look: {type(error).__name__}: {error}", "tell us, with this line"),
            )


# This machine -----------------------------------------------------------------------------------------


def python() -> Iterator[Finding]:
    version = sys.version_info[:2]
    text = f"Python {sys.version.split()[0]} at {sys.executable}"
    low, high = (".".join(map(str, bound)) for bound in PYTHONS)
    if PYTHONS[0] <= version <= PYTHONS[1]:
        yield fine(text)
    else:
        yield wrong(
            f"{text}; {low} to {high} are tried", "name one in LIFECOURSE_PYTHON and run scripts/install"
        )


def packages() -> Iterator[Finding]:
    lock = PROJECT / "requirements.lock"
    if not lock.exists():
        yield note("no requirements.lock beside the code: installed in another way")
        return
    wanted = {}
    for line in re.findall(r"^[A-Za-z0-9][^\n\\]*", lock.read_text(encoding="utf-8"), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            wanted[requirement.name] = str(requirement.specifier).removeprefix("==")
    there = {
        _canonical(d.metadata["Name"]): d.version
        for d in importlib.metadata.distributions()
        if d.metadata["Name"]
    }
    absent = sorted(name for name in wanted if _canonical(name) not in there)
    other = sorted(
        name for name, version in wanted.items() if there.get(_canonical(name), version) != version
    )
    if absent or other:
        named = [f"{len(absent)} packages are missing ({_some(absent)})"] if absent else []
        named += [f"{len(other)} have another version ({_some(other)})"] if other else []
        yield wrong(" and ".join(named), "run scripts/install, and use .venv/bin/python")
    else:
        yield fine(f"{len(wanted)} packages as in requirements.lock")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _some(names: list[str], count: int = 4) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def memory() -> Iterator[Finding]:
    total, free = memory_bytes(), psutil.virtual_memory().available
    text = f"{total / GIB:.1f} GiB, {min(total, free) / GIB:.1f} free; {os.cpu_count()} processors"
    if total < MEMORY_WRONG:
        yield wrong(text, f"a night under Airflow needs about {MEMORY_LOW // GIB} GiB: use a larger machine")
    elif min(total, free) < MEMORY_LOW:
        yield note(text, "end other programs before a night, or set LIFECOURSE_AIRFLOW_WORKERS=1")
    else:
        yield fine(text)


def disk() -> Iterator[Finding]:
    for folder in {*_existing([settings().home, EmbeddedPostgres().data])}:
        free = shutil.disk_usage(folder).free
        text = f"{free / GIB:.1f} GiB free for {folder}"
        if free < DISK_WRONG:
            yield wrong(text, "make room, or choose another LIFECOURSE_HOME")
        elif free < DISK_LOW:
            yield note(text, "a hundred thousand customers take about 20 GiB")
        else:
            yield fine(text)


def _existing(folders: list[os.PathLike[str]]) -> Iterator[str]:
    """The nearest folder that exists, one per file system."""
    seen = set()
    for folder in map(str, folders):
        while not os.path.exists(folder):
            folder = os.path.dirname(folder)
        device = os.stat(folder).st_dev
        if device not in seen:
            seen.add(device)
            yield folder


def home() -> Iterator[Finding]:
    folder = settings().home
    if not folder.exists():
        yield note(f"{folder} does not exist yet", "`lifecourse warehouse start` makes it")
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        yield wrong(f"{folder} cannot be written", "run as its owner, or choose another LIFECOURSE_HOME")
        return
    secrets = folder / "secrets.json"
    if not secrets.exists():
        yield note("no secrets yet", "they are made when the warehouse is first started")
        return
    status = secrets.stat()
    if status.st_mode & 0o077:
        yield wrong(
            f"{secrets} can be read by others (mode {status.st_mode & 0o777:o})", f"chmod 600 {secrets}"
        )
    elif not os.access(secrets, os.R_OK):
        yield wrong(f"{secrets} cannot be read", f"run as user {status.st_uid}")
    else:
        try:
            count = len(json.loads(secrets.read_text(encoding="utf-8")))
        except json.JSONDecodeError as error:
            yield wrong(f"{secrets} is broken in line {error.lineno}", "restore it from your backup")
            return
        yield fine(f"{folder}, with {count} secrets only their owner can read")


def ports() -> Iterator[Finding]:
    from lifecourse.orchestration.processes import running_airflow
    from lifecourse.orchestration.settings import orchestration_settings

    airflow = running_airflow()
    chosen = orchestration_settings()
    if airflow:
        yield fine(f"Airflow answers on {airflow.home.port}")
    else:
        wanted = {chosen.airflow_port: "Airflow's web page", **LOG_PORTS}
        taken = {port: use for port, use in wanted.items() if not _is_free(port)}
        for port, use in taken.items():
            yield note(
                f"port {port} ({use}) is in use by another program", "nothing: a free one is taken instead"
            )
        if not taken:
            yield fine(f"{', '.join(map(str, wanted))} are free for Airflow")
    if not settings().warehouse_url:
        server = EmbeddedPostgres().status()
        if server.running:
            yield fine(f"Postgres answers on {server.port}")
        elif server.port and not _is_free(server.port):
            yield note(
                f"port {server.port} of the warehouse is in use by another program",
                "nothing: it takes another",
            )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


# The warehouse ----------------------------------------------------------------------------------------


def postgres() -> Iterator[Finding]:
    here = _warehouse()
    if here is None:
        server = EmbeddedPostgres().status()
        if server.version is None:
            yield note("the embedded server was never started", "`lifecourse warehouse start`")
        else:
            yield note(
                f"the embedded PostgreSQL {server.version} does not run", "`lifecourse warehouse start`"
            )
            if (server.data / "postmaster.pid").exists():
                yield note(
                    "it was not stopped but killed, or the machine was", "nothing: the next start recovers"
                )
        return
    with here.connect_maintenance() as connection:
        version = connection.info.server_version // 10000
        text = f"PostgreSQL {version} at {here.host}:{here.port}"
        if version < OLDEST_VERSION:
            yield wrong(text, f"use PostgreSQL {OLDEST_VERSION} or newer")
            return
        yield fine(text)
        row = connection.execute(
            "select clock_timestamp(), current_setting('max_connections')::int"
        ).fetchone()
        assert row is not None
        seconds = abs((row[0] - datetime.now(UTC)).total_seconds())
        if seconds > CLOCK_SECONDS:
            yield wrong(f"its clock and this machine's differ by {seconds:.0f} s", "set both by NTP")
        if row[1] < 60:
            yield wrong(f"it lets in only {row[1]} sessions at once", "set max_connections to 100 or more")
        there = {name for (name,) in connection.execute("select datname from pg_database")}
        absent = [name for name in DATABASES if here.name_of(name) not in there]
        if absent:
            yield wrong(f"databases are missing: {', '.join(absent)}", "`lifecourse warehouse setup`")
        known = dict(
            connection.execute(
                "select rolname, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls from pg_roles"
            ).fetchall()
        )
        missing = [login for login in LOGINS.values() if login not in known]
        if missing:
            yield wrong(f"roles are missing: {', '.join(missing)}", "`lifecourse warehouse setup`")
        for login in LOGINS.values():
            if known.get(login):
                yield wrong(
                    f"role {login} may do more than it needs", "`lifecourse warehouse setup` takes it away"
                )
        if absent or missing:
            return
    yield from _logins(here)
    yield from _quiet(here)


def _warehouse() -> Warehouse | None:
    """The warehouse, or None when it is the embedded one and not running."""
    url = settings().warehouse_url
    if url:
        return from_url(url, os.environ.get("LIFECOURSE_DATABASE_SUFFIX", ""))
    return warehouse() if EmbeddedPostgres().port() else None


def _logins(here: Warehouse) -> Iterator[Finding]:
    refused = []
    for database, (owner, others) in DATABASES.items():
        for role in (*others, *([] if owner is Role.ADMIN else [owner])):
            try:
                here.connect(role, database).close()
            except WarehouseUnreachable as error:
                refused.append(f"{role.login} in {database}")
                last = error
    if refused:
        yield wrong(f"cannot log in: {_some(refused)}", last.do or "`lifecourse warehouse setup`")
    else:
        yield fine(f"{len(LOGINS)} roles log in, none of them a superuser")


def _quiet(here: Warehouse) -> Iterator[Finding]:
    """Does the server's log keep quiet about values of rows?"""
    with here.connect(Role.LOADER) as connection:
        loud = []
        for name, value in QUIET_SETTINGS.items():
            row = connection.execute("select current_setting(%s)", (name,)).fetchone()
            # An even quieter level of messages is fine.
            if row and row[0] != value and not (name == "log_min_messages" and row[0] in ("log", "panic")):
                loud.append(f"{name} = {value}")
    if loud:
        yield note(
            "the server's log may quote values of rows, personal ones among them",
            f"as a superuser, for each lifecourse role: alter role ... set {', '.join(loud)}",
        )


def schema() -> Iterator[Finding]:
    here = _warehouse()
    if here is None:
        return
    waiting = migrations.pending(here)
    if waiting:
        yield wrong(f"{len(waiting)} migrations have not run", "`lifecourse warehouse migrate`")
        return
    yield fine(f"{len(migrations.found())} migrations have run")
    with here.connect(Role.PUBLISHER) as connection:
        shown = connection.execute(
            "select build_id, as_of from marts.publication where is_current"
        ).fetchone()
        last = connection.execute(
            "select build_id, status, as_of from meta.build order by started_at desc limit 1"
        ).fetchone()
    if shown:
        yield fine(f"published: build {shown[0]} as of {shown[1]}")
    else:
        yield note("nothing is published yet", "scripts/demo shows how, or `lifecourse build run DAY`")
    if last and last[1] == "failed":
        yield note(
            f"the latest build, {last[0]} as of {last[2]}, failed", "`lifecourse build status` says where"
        )


def airflow() -> Iterator[Finding]:
    from lifecourse.orchestration.home import existing
    from lifecourse.orchestration.processes import running_airflow

    prepared = existing()
    if prepared is None:
        yield note("not set up yet", "scripts/airflow does that")
        return
    config = prepared.path / "airflow.cfg"
    if config.stat().st_mode & 0o077:
        yield wrong(f"{config} holds a password and can be read by others", f"chmod 600 {config}")
    running = running_airflow()
    if running is None:
        yield note(f"set up in {prepared.path}, not running", "scripts/airflow starts it")
        return
    down = [name for name in running.components if name not in running.running()]
    if down:
        yield wrong(
            f"not running: {', '.join(down)}",
            f"`lifecourse airflow stop`, then scripts/airflow; logs in {prepared.logs}",
        )
    else:
        yield fine(f"runs at {prepared.url}")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": python,
    "packages": packages,
    "memory": memory,
    "disk": disk,
    "home": home,
    "ports": ports,
    "postgres": postgres,
    "schema": schema,
    "airflow": airflow,
}

if __name__ == "__main__":
    typer.run(doctor)
