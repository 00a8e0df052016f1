"""Roles, rights and databases of a warehouse that was just set up."""

from __future__ import annotations

import psycopg
import pytest

from lifecourse.warehouse.connection import Role, Warehouse, WarehouseUnreachable
from lifecourse.warehouse.connection import warehouse as current_warehouse
from lifecourse.warehouse.roles import DATABASES, LOGINS, WAREHOUSE
from lifecourse.warehouse.setup import drop_databases, set_up

pytestmark = pytest.mark.other_postgres


def test_set_up_again_changes_nothing(warehouse: Warehouse) -> None:
    def rights() -> list[tuple[object, ...]]:
        with warehouse.connect(Role.ADMIN) as connection:
            return connection.execute(
                "select nspname, relname, relacl::text from pg_class join pg_namespace n on n.oid = relnamespace"
                " union all select nspname, null, nspacl::text from pg_namespace"
                " union all select datname, null, datacl::text from pg_database where datname = current_database()"
                " order by 1, 2"
            ).fetchall()

    before = rights()
    set_up(warehouse, [WAREHOUSE])
    assert rights() == before


def test_every_database_with_its_owner(warehouse: Warehouse) -> None:
    set_up(warehouse)
    try:
        for database, (owner, others) in DATABASES.items():
            for role in LOGINS:
                if role in (owner, *others):
                    with warehouse.connect(role, database) as connection:
                        row = connection.execute("show timezone").fetchone()
                        assert row == ("Asia/Shanghai",)
                else:
                    with pytest.raises(WarehouseUnreachable, match="may not connect"):
                        warehouse.connect(role, database)
    finally:
        drop_databases(warehouse, [name for name in DATABASES if name != WAREHOUSE])


def test_no_runtime_role_may_more_than_it_needs(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.ADMIN) as connection:
        connection.execute("alter role bi_reader createdb")
        connection.commit()
        set_up(warehouse, [WAREHOUSE])
        powers = connection.execute(
            "select rolname from pg_roles where rolname = any(%s)"
            " and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)",
            (list(LOGINS.values()),),
        ).fetchall()
    assert powers == []


@pytest.mark.parametrize("role", [Role.BI_READER, Role.ANALYST])
def test_readers_see_only_marts(warehouse: Warehouse, role: Role) -> None:
    with warehouse.connect(Role.PUBLISHER) as connection:
        for schema in ("marts", "marts_next", "marts_previous", "marts_undo"):
            connection.execute(f"create table {schema}.probe (n integer)")  # type: ignore[arg-type]
    with warehouse.connect(role, autocommit=True) as connection:
        assert connection.execute("select count(*) from marts.probe").fetchone() == (0,)
        visible = connection.execute(
            "select nspname from pg_namespace where nspname !~ '^(pg_|information_schema)'"
            " and has_schema_privilege(oid, 'usage') order by 1"
        ).fetchall()
        expected = ["marts", "scratch_analyst"] if role is Role.ANALYST else ["marts"]
        assert [name for (name,) in visible] == expected
        for schema in ("meta.batch", "vault.token", "marts_next.probe", "marts_undo.probe"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select from {schema}")  # type: ignore[arg-type]
        for statement in ("insert into marts.probe values (1)", "create table public.mine (n integer)"):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                connection.execute(statement)  # type: ignore[arg-type]


def test_analyst_has_a_scratch_schema_and_a_time_limit(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.ANALYST) as connection:
        connection.execute("create table scratch_analyst.mine as select 1 as n")
        connection.execute("create temporary table gone (n integer)")
        assert connection.execute("show statement_timeout").fetchone() == ("10min",)


def test_the_builders_reach_what_they_need_and_no_more(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.LOADER) as connection:
        connection.execute("create table canonical.probe (n integer)")
        connection.execute("create table raw.probe (n integer)")
    with warehouse.connect(Role.TRANSFORMER, autocommit=True) as connection:
        connection.execute("select from canonical.probe, meta.batch")
        connection.execute("create schema asof_2026_03_01")
        connection.execute("create table core.probe (n integer)")
        for statement in ("select from raw.probe", "select from vault.token", "delete from meta.batch"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)  # type: ignore[arg-type]
    with warehouse.connect(Role.PUBLISHER, autocommit=True) as connection:
        connection.execute("select from core.probe, meta.build")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from canonical.probe")


def test_source_reader_reads_the_simulated_sources_and_cannot_write(simulated: Warehouse) -> None:
    with simulated.connect(Role.SIMULATOR, "sim_signup") as connection:
        connection.execute("create table leads (lead_id bigint)")
        connection.execute("create schema truth")
        connection.execute("create table truth.person (person_id bigint)")
    with simulated.connect(Role.SOURCE_READER, "sim_signup", autocommit=True) as connection:
        connection.execute("select from leads")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select from truth.person")
        connection.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("insert into leads values (1)")


def test_the_settings_lead_to_this_warehouse(warehouse: Warehouse) -> None:
    with current_warehouse().connect(Role.LOADER) as connection:
        assert connection.info.dbname == warehouse.name_of()


def test_an_administrator_who_is_no_superuser_is_enough(warehouse: Warehouse) -> None:
    from dataclasses import replace

    with warehouse.connect_maintenance() as connection:
        if connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() != (
            True,
        ):
            pytest.skip("the server's administrator is none: the other tests have shown it")
        connection.execute("drop role if exists clerk")
        connection.execute("create role clerk login createdb createrole password 'only-for-this-test'")
        # As on a hosted server, where the clerk made the roles.
        version = connection.info.server_version // 10000
        for login in LOGINS.values():
            connection.execute(
                f"grant {login} to clerk"
                + (" with admin true, inherit true, set true" if version >= 16 else "")
            )  # type: ignore[arg-type]
    clerk = replace(
        warehouse,
        admin_login="clerk",
        passwords={Role.ADMIN: "only-for-this-test"},
        suffix=f"{warehouse.suffix}_clerk",
    )
    try:
        set_up(clerk)
        set_up(clerk)
        with clerk.connect(Role.AIRFLOW, "airflow") as connection:
            connection.execute("create schema anything")
        with clerk.connect(Role.LOADER) as connection:
            connection.execute("select from meta.batch")
    finally:
        drop_databases(clerk)
        with warehouse.connect_maintenance() as connection:
            for login in LOGINS.values():
                connection.execute(f"revoke {login} from clerk cascade")  # type: ignore[arg-type]
            connection.execute("drop role clerk")


@pytest.mark.parametrize("role", [Role.LOADER, Role.TRANSFORMER, Role.PUBLISHER])
def test_large_temporary_tables_can_be_read(warehouse: Warehouse, role: Role) -> None:
    """PostgreSQL 18 pins pages of a temporary table as far ahead as it is told to read, and needs some for long texts."""
    with warehouse.connect(role) as connection:
        connection.execute("set effective_io_concurrency = 200")
        connection.execute("create temporary table wide (inside text, outside text)")
        connection.execute(
            "alter table wide alter column inside set storage plain, alter column outside set storage external"
        )
        connection.execute(
            "insert into wide select repeat(md5(key::text), 50), repeat(md5(key::text), 100)"
            " from generate_series(1, 20000) as key"
        )
        read = connection.execute("select sum(length(outside || '')) from wide").fetchone()
    assert read == (20000 * 3200,)
