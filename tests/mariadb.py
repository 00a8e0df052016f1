"""A private MariaDB for the tests: on a folder and a port of its own, started where the programs are found.

``LIFECOURSE_TEST_MYSQL_URL`` names another server instead (a user who may create databases).
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pymysql

_PATIENCE_SECONDS = 60
WHY_NOT = "no MariaDB here: install mariadb-server, or let LIFECOURSE_TEST_MYSQL_URL name a server"


def _program(*names: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def is_there() -> bool:
    """Whether a server is named, or can be started."""
    return bool(os.environ.get("LIFECOURSE_TEST_MYSQL_URL")) or (
        _program("mariadbd") is not None and _program("mariadb-install-db") is not None
    )


@contextmanager
def running() -> Iterator[str]:
    """The URL of a server, without a database, that is gone afterwards."""
    named = os.environ.get("LIFECOURSE_TEST_MYSQL_URL")
    if named:
        yield named.rstrip("/")
        return
    server, install = _program("mariadbd"), _program("mariadb-install-db")
    assert server and install, WHY_NOT
    folder = Path(tempfile.mkdtemp(prefix="lifecourse-mariadb-"))
    # As root it would refuse to start without being told that it may.
    user = f"--user={getpass.getuser()}"
    try:
        subprocess.run(
            [install, "--no-defaults", user, f"--datadir={folder / 'data'}", "--auth-root-authentication-method=normal",
             "--skip-test-db"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(
            [server, "--no-defaults", user, f"--datadir={folder / 'data'}", f"--port={port}",
             "--bind-address=127.0.0.1", f"--socket={folder / 's'}", f"--pid-file={folder / 'pid'}",
             "--innodb-flush-log-at-trx-commit=0"],
            stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"),
        )  # fmt: skip
        try:
            _wait(process, folder, port)
            yield f"mysql://tests:tests@127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with (
                closing(pymysql.connect(unix_socket=str(folder / "s"), user="root")) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("create user tests@127.0.0.1 identified by 'tests'")
                cursor.execute("grant all on *.* to tests@127.0.0.1 with grant option")
            return
        except pymysql.MySQLError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB did not start: {(folder / 'log').read_text()[-2000:]}") from None
            time.sleep(0.1)
