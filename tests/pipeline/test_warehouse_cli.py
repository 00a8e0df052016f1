"""The commands of `lifecourse warehouse`, on a warehouse with two publications."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from typer.testing import CliRunner, Result

from lifecourse.warehouse.cli import app
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.publish import publish
from tests.pipeline.publishing import TABLES, audited, make_core, rows, run


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def published(warehouse: Warehouse) -> Warehouse:
    make_core(warehouse)
    publish(warehouse, audited(warehouse, "b1", "full"), TABLES)
    run(warehouse, Role.TRANSFORMER, "update core.dim_campus set name = 'New'")
    publish(warehouse, audited(warehouse, "b2", changed=["C1"]), TABLES)
    return warehouse


def test_status_and_publications(published: Warehouse) -> None:
    assert "build b2 as of 2026-03-01" in call("status").output
    lines = call("publications").output.splitlines()
    assert ["b2" in lines[1], "current" in lines[1], "b1" in lines[2]] == [True, True, True]


def test_urls_lead_in(published: Warehouse) -> None:
    url = call("url").output.strip()
    with psycopg.connect(url) as connection:
        assert connection.execute("select current_user").fetchone() == ("bi_reader",)
    assert ":***@" in call("url", "--role", "loader", "--hide-password").output


def test_psql_answers(published: Warehouse) -> None:
    command = call(
        "psql", "--show", "--role", "analyst", "-At", "-c", "select count(*) from marts.dim_campus"
    ).output
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("3\n", "")


def test_compare_and_roll_back(published: Warehouse) -> None:
    assert "5 tables are equal" in call("compare").output
    assert call("rollback", "--yes").output == "Readers see build b1 as of 2026-03-01 again.\n"
    differing = call("compare")
    assert differing.exit_code == 1
    assert "dim_campus: 3 rows differ" in differing.output


def test_rollback_asks(published: Warehouse) -> None:
    assert CliRunner().invoke(app, ["rollback"], input="n\n").exit_code == 1
    assert rows(published, "select build_id from marts.publication where is_current") == [("b2",)]


def test_migrate_says_what_it_did(warehouse: Warehouse) -> None:
    assert call("migrate").output == "Nothing to migrate.\n"
