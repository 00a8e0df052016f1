"""The embedded server: it starts anywhere, outlives its parent, and comes back after a kill."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from lifecourse.secrets import secret
from lifecourse.settings import PROJECT, settings
from lifecourse.warehouse.connection import Role, Warehouse, WarehouseUnreachable, from_url
from lifecourse.warehouse.connection import warehouse as current_warehouse
from lifecourse.warehouse.embedded import ADMIN, HOST, EmbeddedError, EmbeddedPostgres, wheel_binaries
from lifecourse.warehouse.roles import WAREHOUSE
from lifecourse.warehouse.setup import set_up

PORT = 26900
STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from lifecourse.warehouse.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1]), usual_port=int(sys.argv[2]), throwaway=True).start()
print("up", flush=True)
time.sleep(60)
"""
IS_ROOT = os.geteuid() == 0


def answer(port: int, statement: str = "select 1") -> object:
    with psycopg.connect(
        host=HOST,
        port=port,
        user=ADMIN,
        password=secret("warehouse_admin"),
        dbname="postgres",
        autocommit=True,
    ) as connection:
        cursor = connection.execute(statement)  # type: ignore[arg-type]
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


@pytest.fixture(scope="module")
def folder(home: Path) -> Iterator[Path]:
    """A server's home that the tests of this module share; they leave the server in any state."""
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=home))
    yield folder
    EmbeddedPostgres(folder, usual_port=PORT, throwaway=True).remove()


@pytest.fixture
def server(folder: Path) -> EmbeddedPostgres:
    """The shared server, running."""
    postgres = EmbeddedPostgres(folder, usual_port=PORT, throwaway=True)
    postgres.start()
    return postgres


def again(server: EmbeddedPostgres) -> EmbeddedPostgres:
    """As another process would see it."""
    return EmbeddedPostgres(server.home, usual_port=PORT, throwaway=True)


def test_starts_stops_and_starts_on_the_same_port(server: EmbeddedPostgres) -> None:
    port = server.port()
    assert port is not None
    assert again(server).start() == port
    assert answer(port) == 1
    assert server.status().version == "18"
    assert again(server).stop()
    assert not again(server).stop()
    assert not server.status().running
    assert again(server).start() == port
    assert answer(port) == 1


def test_runs_as_somebody_who_is_not_root(server: EmbeddedPostgres) -> None:
    pid = server.status().pid
    assert pid
    assert psutil.Process(pid).uids().real != 0
    assert os.getsid(pid) != os.getsid(0)


def test_is_set_up_for_a_warehouse(server: EmbeddedPostgres) -> None:
    port = server.start()
    for name, value in {
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "jit": "off",
        "listen_addresses": HOST,
        "unix_socket_directories": "",
        "data_checksums": "on",
    }.items():
        assert answer(port, f"show {name}") == value
    assert answer(port, "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'") == 0
    assert answer(port, "select datlocale from pg_database where datname = 'postgres'") == "C.UTF-8"


def test_only_a_throwaway_server_goes_without_fsync(folder: Path) -> None:
    assert "fsync" in EmbeddedPostgres(folder, throwaway=True)._configuration()
    lasting = EmbeddedPostgres(folder)._configuration()
    assert not {"fsync", "full_page_writes", "synchronous_commit"} & lasting.keys()


def test_ones_own_settings_win(server: EmbeddedPostgres) -> None:
    (server.data / "local.conf").write_text("work_mem = '77MB'\n")
    (server.data / "local.conf").chmod(0o644)
    server.stop()
    assert answer(server.start(), "show work_mem") == "77MB"
    (server.data / "local.conf").unlink()


@pytest.mark.parametrize("whose", ["its own", "another process's", "nobody's", "unreadable"])
def test_comes_back_after_sigkill(server: EmbeddedPostgres, whose: str) -> None:
    port = server.start()
    pid_file = server.data / "postmaster.pid"
    pid = server.status().pid
    assert pid
    with psycopg.connect(
        host=HOST, port=port, user=ADMIN, password=secret("warehouse_admin"), dbname="postgres"
    ) as connection:
        # A backend in a long query notices the death of its parent late.
        connection.execute("create table if not exists kept (n integer)")
        connection.execute("insert into kept values (1)")
        connection.commit()
        busy = threading.Thread(
            target=_ignore_loss, args=(connection, "select sum(n) from generate_series(1, 1e9) as n")
        )
        busy.start()
        os.kill(pid, signal.SIGKILL)
        lines = pid_file.read_text().splitlines()
        # After a reboot, the number in the file may be anybody's: here, that of a process of the same user.
        bystander = subprocess.Popen(["sleep", "60"], **server._as_user())
        try:
            if whose == "unreadable":
                pid_file.write_text("")
            elif whose != "its own":
                lines[0] = str(bystander.pid if whose == "another process's" else 2**22 - 3)
                pid_file.write_text("\n".join(lines) + "\n")
            restarted = again(server)
            assert answer(restarted.start(), "select count(*) > 0 from kept") is True
            assert bystander.poll() is None, "a process that is not ours was ended"
        finally:
            bystander.kill()
            bystander.wait()
            busy.join()


def test_begins_recovery_again_when_it_was_cut_short(server: EmbeddedPostgres) -> None:
    """As when the system kills it for want of memory: trying again loses nothing."""
    port = server.start()
    answer(port, "create table if not exists replayed (n bigint)")
    answer(port, "truncate replayed")
    answer(port, "checkpoint")
    answer(port, "insert into replayed select generate_series(1, 3000000)")
    pid = server.status().pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    cut_short: list[int] = []
    ended = threading.Event()
    killer = threading.Thread(target=_kill_recovery, args=(server.data, cut_short, ended))
    killer.start()
    try:
        port = again(server).start()
    finally:
        ended.set()
        killer.join()
    assert len(cut_short) == 1, "recovery was over before it could be killed"
    assert "startup process failure" in server.log.read_text(encoding="utf-8", errors="replace")
    assert answer(port, "select count(*) from replayed") == 3_000_000
    answer(port, "drop table replayed")


def _kill_recovery(data: Path, killed: list[int], ended: threading.Event) -> None:
    """Once, the process that replays the log of the server with that data."""
    while not ended.wait(0.01):
        for process in psutil.process_iter(["cmdline", "cwd"]):
            title = " ".join(process.info["cmdline"] or [])
            if title.startswith("postgres: startup recovering") and process.info["cwd"] == str(data):
                process.kill()
                killed.append(process.pid)
                return


def test_the_end_of_the_log_says_why_it_did_not_start(server: EmbeddedPostgres) -> None:
    """Clients that knock meanwhile write the same line over and over."""
    server.stop()
    (server.data / "local.conf").write_text("recovery_target = 'nonsense'\n")
    (server.data / "local.conf").chmod(0o644)
    knocks = (
        "2026-03-02 01:00:00.000 UTC [9] FATAL:  the database system is not yet accepting connections\n" * 50
    )
    try:
        with pytest.raises(EmbeddedError, match='invalid value for parameter "recovery_target": "nonsense"'):
            again(server).start()
        with open(server.log, "a", encoding="utf-8") as log:
            log.write(knocks)
        assert "nonsense" in server._log_tail()
    finally:
        (server.data / "local.conf").unlink()
    assert answer(again(server).start()) == 1


def _ignore_loss(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    with suppress(psycopg.OperationalError):
        connection.execute(statement)  # type: ignore[arg-type]


def test_survives_a_parent_that_is_killed(server: EmbeddedPostgres) -> None:
    server.stop()
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            STARTS_AND_WAITS,
            str(server.home),
            str(PORT),
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=PROJECT,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    port = again(server).port()
    assert port is not None
    assert answer(port) == 1


def test_takes_another_port_when_its_own_is_taken(server: EmbeddedPostgres) -> None:
    port = server.start()
    server.stop()
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind((HOST, port))
        squatter.listen()
        other = again(server).start()
        assert other != port
        assert answer(other) == 1
        assert json.loads((server.home / "warehouse.json").read_text())["port"] == other
    assert again(server).start() == other


def test_two_that_start_at_once_end_with_one_server(server: EmbeddedPostgres) -> None:
    server.stop()
    ports: list[int] = []
    threads = [threading.Thread(target=lambda: ports.append(again(server).start())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ports) == 3
    assert len(set(ports)) == 1


def test_the_log_quotes_no_value_of_a_row(server: EmbeddedPostgres) -> None:
    port = server.start()
    for statement in (
        "select 'CANARY'::date",
        "select * from canary_table where name = 'CANARY'",
        "create table if not exists unique_names (name text primary key)",
        "insert into unique_names values ('CANARY'), ('CANARY')",
        "do $$ begin raise exception 'CANARY'; end $$",
        "do $$ begin raise warning 'CANARY'; end $$",
    ):
        with suppress(psycopg.Error):
            answer(port, statement)
    assert "CANARY" not in server.log.read_text()


def test_a_broken_setting_is_told_with_the_end_of_the_log(server: EmbeddedPostgres) -> None:
    server.stop()
    broken = server.data / "local.conf"
    broken.write_text("no_such_setting = 1\n")
    broken.chmod(0o644)
    try:
        with pytest.raises(EmbeddedError, match="no_such_setting"):
            again(server).start()
    finally:
        broken.unlink()
    again(server).start()


def test_data_of_another_version_is_refused_with_a_way_out(server: EmbeddedPostgres) -> None:
    server.stop()
    version = server.data / "PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(EmbeddedError, match="written by PostgreSQL 17.*dump"):
            again(server).start()
    finally:
        version.write_text("18\n")


def test_a_killed_initdb_leaves_nothing_in_the_way(home: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=home))
    (folder / "pgdata.new").mkdir()
    (folder / "pgdata.new" / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(folder, usual_port=PORT, throwaway=True)
    try:
        assert answer(postgres.start()) == 1
        assert not list(postgres.base.glob("pgdata.new*"))
    finally:
        postgres.remove()
    assert not postgres.data.exists()


def test_a_folder_that_is_no_database_is_left_alone(home: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="server-", dir=home))
    (folder / "pgdata").mkdir()
    (folder / "pgdata" / "diary.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="holds no database"):
        EmbeddedPostgres(folder, usual_port=PORT, throwaway=True).start()
    assert (folder / "pgdata" / "diary.txt").exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root must become somebody else")
def test_root_in_a_folder_nobody_else_may_enter() -> None:
    closed = Path(tempfile.mkdtemp())  # mode 0700
    package = wheel_binaries().parents[1]
    shutil.copytree(package / "pginstall18", closed / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    postgres = EmbeddedPostgres(
        closed / "deep" / "home",
        binaries=closed / package.name / "pginstall18" / "bin",
        usual_port=PORT,
        throwaway=True,
    )
    try:
        assert not postgres.data.is_relative_to(closed)
        port = postgres.start()
        assert answer(port) == 1
        found = EmbeddedPostgres(closed / "deep" / "home", usual_port=PORT, throwaway=True)
        assert found.port() == port
        found.stop()
    finally:
        postgres.remove()
        shutil.rmtree(closed)
    assert not postgres.base.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_a_user_who_is_not_root() -> None:
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    # Forked rather than started: the interpreter may lie where nobody cannot go.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.environ["LIFECOURSE_SECRET_WAREHOUSE_ADMIN"] = "only-for-this-test"
            postgres = EmbeddedPostgres(folder / "home", usual_port=PORT, throwaway=True)
            assert postgres.base == folder / "home"
            assert answer(postgres.start()) == 1
            assert postgres.stop()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(folder)
    assert os.waitstatus_to_exitcode(status) == 0


def test_the_settings_find_the_embedded_server(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFECOURSE_HOME", str(server.home))
    monkeypatch.setenv("LIFECOURSE_SECRET_WAREHOUSE_ADMIN", secret("warehouse_admin"))
    settings.cache_clear()
    try:
        server.stop()
        with pytest.raises(WarehouseUnreachable, match="lifecourse warehouse start"):
            current_warehouse()
        server.start()
        warehouse = set_up(databases=[WAREHOUSE])
        with warehouse.connect(Role.BI_READER) as connection:
            assert connection.execute("select count(*) from marts.publication").fetchone() == (0,)
        assert psycopg.connect(warehouse.url(Role.LOADER)).info.dbname == WAREHOUSE
        assert secret("warehouse_loader") not in warehouse.masked_url(Role.LOADER)
        assert secret("warehouse_loader") not in repr(warehouse)
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:hidden@/postgres", "no single TCP host"),
        ("postgresql://me:hidden@a,b/postgres", "no single TCP host"),
        ("postgresql://host/postgres", "names no user"),
        ("not a url", "not a Postgres URL"),
    ],
)
def test_a_url_that_leads_nowhere(url: str, message: str) -> None:
    with pytest.raises(Exception, match=message) as raised:
        from_url(url)
    assert "hidden" not in str(raised.value)


def test_a_url_with_everything() -> None:
    warehouse = from_url("postgresql://admin:p%40ss@db.example:6543/main?sslmode=require", "_b")
    assert warehouse == Warehouse(
        host="db.example",
        port=6543,
        admin_login="admin",
        passwords={Role.ADMIN: "p@ss"},
        maintenance_database="main",
        parameters={"sslmode": "require"},
        suffix="_b",
    )
    assert warehouse.url(Role.ADMIN, driver="postgresql+psycopg2") == (
        "postgresql+psycopg2://admin:p%40ss@db.example:6543/lifecourse_b?sslmode=require"
    )
    assert (
        warehouse.masked_url(Role.ADMIN)
        == "postgresql://admin:***@db.example:6543/lifecourse_b?sslmode=require"
    )
