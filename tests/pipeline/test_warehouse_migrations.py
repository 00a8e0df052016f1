"""The migration runner: each once, in order, whole or not at all, and never another text."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.migrations import FOLDER, MigrationError, found, migrate, pending
from tests.pipeline.publishing import rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The real migrations and one of our own after them."""
    for migration in found():
        (tmp_path / migration.path.name).write_text(migration.text)
    return tmp_path


def own(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{len(found(folder)) + 1:04}_{name}.sql"
    path.write_text(text)
    return path


def test_runs_what_is_new_and_nothing_twice(warehouse: Warehouse, folder: Path) -> None:
    assert migrate(warehouse) == []
    path = own(folder, "probe", "create table meta.probe (n integer); insert into meta.probe values (1);")
    assert [migration.name for migration in pending(warehouse, folder)] == ["probe"]
    assert [migration.path for migration in migrate(warehouse, folder)] == [path]
    assert migrate(warehouse, folder) == []
    assert rows(warehouse, "select n from meta.probe", Role.LOADER) == [(1,)]
    assert len(rows(warehouse, "select from meta.migration")) == len(found(folder))


def test_a_migration_that_fails_leaves_nothing_and_names_its_line(warehouse: Warehouse, folder: Path) -> None:
    path = own(folder, "probe", "create table meta.probe (n integer);\n\nselect nothing from meta.nowhere;\n")
    with pytest.raises(MigrationError, match=rf"{path.name}:3.*meta.nowhere"):
        migrate(warehouse, folder)
    assert rows(warehouse, "select to_regclass('meta.probe')") == [(None,)]


def test_an_edited_migration_is_refused(warehouse: Warehouse, folder: Path) -> None:
    first = sorted(folder.glob("*.sql"))[0]
    first.write_text(first.read_text() + "-- one more remark\n")
    with pytest.raises(MigrationError, match="another text"):
        migrate(warehouse, folder)


def test_line_ends_are_not_an_edit(warehouse: Warehouse, folder: Path) -> None:
    first = sorted(folder.glob("*.sql"))[0]
    first.write_bytes(first.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(warehouse, folder) == []


def test_a_database_that_is_newer_than_the_code_is_refused(warehouse: Warehouse, folder: Path) -> None:
    own(folder, "from_the_future", "select 1;")
    migrate(warehouse, folder)
    with pytest.raises(MigrationError, match="from_the_future.*newer"):
        migrate(warehouse, FOLDER)


@pytest.mark.parametrize(
    ("name", "message"),
    [("1_short.sql", "NNNN_name"), ("0001_twice.sql", "renumber"), ("0099_gap.sql", "renumber")],
)
def test_numbers_have_no_gap_and_no_double(folder: Path, name: str, message: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationError, match=message):
        found(folder)


def test_customers_keep_their_ids_when_identity_comes(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.ADMIN) as connection:
        for (name,) in connection.execute(
            "select relname from pg_class where relnamespace = 'core'::regnamespace and relkind = 'r'"
            " and relname like 'identity_%'"
        ).fetchall():
            connection.execute(f"drop table core.{name}".encode())
        connection.execute("drop sequence core.identity_account_no")
        connection.execute("delete from meta.migration where name = 'identity'")
        connection.execute("set local role lifecourse_transformer")
        connection.execute(
            "create table core.customer_registry as select '9' as learner_id, 'C000000042' as customer_id, 'b1' as"
            " registered_by_build"
        )
    assert [each.name for each in migrate(warehouse)] == ["identity"]
    with warehouse.connect(Role.TRANSFORMER) as connection:
        kept = connection.execute(
            "select learner_id, customer_id, first_customer_id, registered_by_build from core.identity_registry"
        ).fetchall()
        assert connection.execute("select to_regclass('core.customer_registry')").fetchone() == (None,)
    assert kept == [("9", "C000000042", "C000000042", "b1")]
