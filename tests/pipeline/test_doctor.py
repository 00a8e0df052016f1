"""The doctor finds what is broken and says what to do; reset removes what is ours and nothing else."""

from __future__ import annotations

import importlib.metadata
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lifecourse import doctor, reset
from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.embedded import EmbeddedPostgres
from lifecourse.warehouse.setup import drop_databases, set_up
from tests.pipeline.publishing import run


def found(subject: str) -> dict[str, doctor.Finding]:
    """Findings on a subject, by the first words of what they say."""
    return {finding.what: finding for about, finding in doctor.examine() if about == subject}


def the_wrong(subject: str) -> str:
    return "; ".join(f"{f.what} -> {f.do}" for f in found(subject).values() if f.level is doctor.Level.WRONG)


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder in which nothing has happened yet."""
    monkeypatch.setenv("LIFECOURSE_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def whole(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with every database."""
    set_up(warehouse)
    yield warehouse
    drop_databases(warehouse)


def test_a_healthy_warehouse(whole: Warehouse) -> None:
    assert the_wrong("postgres") == ""
    assert the_wrong("schema") == ""
    assert any(what.startswith("9 roles log in") for what in found("postgres"))
    assert not [what for what in found("postgres") if "may quote values" in what]


def test_before_the_first_start_nothing_is_wrong(empty_home: Path) -> None:
    for subject in ("home", "postgres", "schema", "ports", "airflow", "disk", "memory"):
        assert the_wrong(subject) == ""
    assert not empty_home.exists()
    assert "`lifecourse warehouse start`" in str(found("postgres"))


def test_a_role_that_may_too_much_and_one_that_cannot_log_in(whole: Warehouse) -> None:
    run(whole, Role.ADMIN, "alter role analyst createdb", "alter role bi_reader password 'another'")
    try:
        said = the_wrong("postgres")
        assert "analyst may do more than it needs" in said
        assert "cannot log in: bi_reader in lifecourse" in said
        assert "lifecourse warehouse setup" in said
    finally:
        set_up(whole)
    assert the_wrong("postgres") == ""


def test_a_database_that_is_gone_and_a_migration_that_has_not_run(whole: Warehouse) -> None:
    drop_databases(whole, ["sim_signup"])
    assert "databases are missing: sim_signup" in the_wrong("postgres")
    run(whole, Role.ADMIN, "delete from meta.migration where version = 3")
    assert "1 migrations have not run -> `lifecourse warehouse migrate`" in the_wrong("schema")


def test_a_server_that_cannot_be_reached(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("LIFECOURSE_WAREHOUSE_URL", f"postgresql://me:hidden@127.0.0.1:{port}/postgres")
    settings.cache_clear()
    said = the_wrong("postgres")
    assert f"127.0.0.1:{port}" in said
    assert "hidden" not in said


def test_secrets_that_others_can_read(empty_home: Path) -> None:
    empty_home.mkdir()
    secrets = empty_home / "secrets.json"
    secrets.write_text("{}")
    secrets.chmod(0o644)
    assert f"chmod 600 {secrets}" in the_wrong("home")
    secrets.chmod(0o600)
    assert the_wrong("home") == ""
    secrets.write_text("{")
    assert "broken in line 1" in the_wrong("home")


def test_packages_that_are_not_those_of_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_wrong("packages") == ""
    there = list(importlib.metadata.distributions())
    monkeypatch.setattr(
        importlib.metadata, "distributions", lambda: [d for d in there if d.metadata["Name"] != "psycopg"]
    )
    assert the_wrong("packages").startswith("1 packages are missing (psycopg) -> run scripts/install")


@pytest.mark.parametrize(("subject", "limit"), [("memory", "MEMORY_WRONG"), ("disk", "DISK_WRONG")])
def test_too_little_memory_or_disk(monkeypatch: pytest.MonkeyPatch, subject: str, limit: str) -> None:
    assert the_wrong(subject) == ""
    monkeypatch.setattr(doctor, limit, 2**60)
    assert "-> " in the_wrong(subject)


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[doctor.Finding]:
        raise RuntimeError("no idea")
        yield doctor.fine("")

    monkeypatch.setitem(doctor.CHECKS, "memory", broken)
    assert "could not look: RuntimeError" in the_wrong("memory")


def test_reset_stops_the_server_and_removes_what_is_ours(empty_home: Path) -> None:
    server = EmbeddedPostgres(usual_port=26950, throwaway=True)
    server.start()
    pid_file = server.data / "postmaster.pid"
    assert pid_file.exists()
    (empty_home / "logs").mkdir()
    (empty_home / "diary.txt").write_text("mine")
    reset.reset(yes=True)
    assert [path.name for path in empty_home.iterdir()] == ["diary.txt"]
    (empty_home / "diary.txt").unlink()
    assert not server.status().running
    reset.reset(yes=True)
    assert not empty_home.exists()


def test_reset_drops_databases_on_a_server_of_ones_own_only_when_asked(
    whole: Warehouse, tmp_path: Path
) -> None:
    for asked in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LIFECOURSE_HOME", str(tmp_path / "home"))
            settings.cache_clear()
            reset.reset(yes=True, databases=asked)
        settings.cache_clear()
        assert ("databases are missing: lifecourse, airflow" in the_wrong("postgres")) is asked


def test_reset_asks_and_takes_no_for_an_answer(empty_home: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(reset.reset)
    empty_home.mkdir()
    (empty_home / "logs").mkdir()
    assert CliRunner().invoke(app, input="n\n").exit_code == 1
    assert (empty_home / "logs").exists()
    with pytest.raises(LifecourseError, match="for a server of your own"):
        reset.reset(yes=True, databases=True)
