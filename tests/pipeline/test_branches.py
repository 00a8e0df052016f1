"""Branches see the rows of their campuses, whatever they try."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from lifecourse.errors import LifecourseError
from lifecourse.warehouse import branches
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.publish import publish, rollback
from tests.pipeline.publishing import CAMPUS, TABLES, audited, make_core, rows, run

#: Roles belong to the whole server: names that no other test uses.
NORTH, BOTH = "test_branch_north", "test_branch_both"
pytestmark = pytest.mark.other_postgres

#: The table of value has a customer and no campus; a calendar belongs to nobody.
DAYS = replace(CAMPUS, name="dim_date", primary_key=["day_on"], open_to_branches=True)


class Branches:
    """A publication, and two logins: one sees campus K0, the other K0 and K1."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.passwords: dict[str, str] = {}
        make_core(warehouse)
        run(
            warehouse, Role.TRANSFORMER,
            "create table core.dim_date (day_on date not null)", "insert into core.dim_date values ('2026-03-01')",
        )  # fmt: skip
        publish(warehouse, audited(warehouse, "b1", "full"), (*TABLES, DAYS))
        for login, campuses in ((NORTH, ["K0"]), (BOTH, ["K0", "K1"])):
            password = branches.grant(warehouse, login, campuses)
            assert password
            self.passwords[login] = password

    def session(self, login: str = NORTH) -> psycopg.Connection[tuple[Any, ...]]:
        where = make_conninfo(
            host=self.warehouse.host, port=self.warehouse.port, dbname=self.warehouse.name_of(), user=login,
            password=self.passwords[login], options="-c default_transaction_read_only=off",
            **self.warehouse.parameters,
        )  # fmt: skip
        return psycopg.connect(where)

    def ask(self, query: str, login: str = NORTH, before: str = "") -> list[tuple[Any, ...]]:
        with self.session(login) as connection:
            if before:
                connection.execute(sql.SQL(before))
            return connection.execute(sql.SQL(query)).fetchall()


@pytest.fixture
def logins(warehouse: Warehouse) -> Iterator[Branches]:
    remove(warehouse)
    yield Branches(warehouse)
    remove(warehouse)


def remove(warehouse: Warehouse) -> None:
    with warehouse.connect_maintenance() as connection:
        for login in (
            NORTH,
            BOTH,
            "test_branch_outsider",
            f"{branches.CAMPUS_PREFIX}K0",
            f"{branches.CAMPUS_PREFIX}K1",
        ):
            there = connection.execute("select 1 from pg_roles where rolname = %s", (login,)).fetchone()
            if there:
                connection.execute(sql.SQL("drop role {}").format(sql.Identifier(login)))


@contextmanager
def may_make_temporary(warehouse: Warehouse) -> Iterator[None]:
    """Branches have no such right of ours; an institution may give it to them."""
    database = sql.Identifier(warehouse.name_of())
    with warehouse.connect_maintenance() as connection:
        connection.execute(
            sql.SQL("grant temporary on database {} to {}").format(database, sql.Identifier(NORTH))
        )
        try:
            yield
        finally:
            connection.execute(
                sql.SQL("revoke temporary on database {} from {}").format(database, sql.Identifier(NORTH))
            )


CAMPUSES = "select distinct campus_id from marts.dim_customer order by 1"
TRIED = {
    "as it is": "",
    "a setting": "select set_config('row_security', 'off', false)",
    "a setting of its own": "select set_config('lifecourse.campus_id', 'K1', false)",
    "objects in front of the catalogue": """
        create function pg_temp.pg_has_role(oid, text) returns boolean language sql as 'select true';
        create temp view pg_roles as select 1::oid as oid, 'lifecourse_campus_K1'::name as rolname;
        set search_path = pg_temp, pg_catalog
    """,
}


def test_a_branch_sees_its_campuses_whatever_it_sets(logins: Branches) -> None:
    with may_make_temporary(logins.warehouse):
        for attempt, statement in TRIED.items():
            try:
                seen = logins.ask(CAMPUSES, before=statement)
            except psycopg.errors.InsufficientPrivilege:
                assert attempt == "a setting"
            else:
                assert seen == [("K0",)], attempt
    assert logins.ask(CAMPUSES, BOTH) == [("K0",), ("K1",)]
    assert logins.ask("select count(*) from marts.fct_lead where campus_id <> 'K0'") == [(0,)]


REFUSED = (
    "select 1 from marts.mart_customer_value",  # customers, and no campus to tell whose
    "select 1 from core.dim_customer",
    "select 1 from marts_next.dim_customer",
    "select 1 from vault.value",
    "select 1 from meta.build",
    "set role bi_reader",
    "set role lifecourse_publisher",
    f'set role "{branches.CAMPUS_PREFIX}K1"',
    "alter table marts.dim_customer disable row level security",
    "create policy mine on marts.dim_customer for select using (true)",
    f'grant "{branches.CAMPUS_PREFIX}K1" to {NORTH}',
    "update marts.dim_customer set campus_id = 'K0'",
    "create or replace function marts.my_campuses() returns text[] language sql as 'select array[''K1'']'",
)


def test_a_branch_is_refused(logins: Branches) -> None:
    allowed = []
    for query in REFUSED:
        try:
            logins.ask(query)
        except psycopg.errors.InsufficientPrivilege:
            continue
        allowed.append(query)
    assert allowed == []


def test_nothing_leaks_through_functions_errors_and_statistics(logins: Branches) -> None:
    run(logins.warehouse, Role.ADMIN, "analyze marts.dim_customer")
    seen: list[str] = []
    with may_make_temporary(logins.warehouse), logins.session() as connection:
        connection.add_notice_handler(lambda notice: seen.append(notice.message_primary or ""))
        connection.execute(
            "create function pg_temp.tell(text) returns boolean cost 0.0000001 language plpgsql"
            " as $$ begin raise notice '%', $1; return true; end $$"
        )
        connection.execute("select count(*) from marts.dim_customer where pg_temp.tell(campus_id)")
        # Would divide by zero for a row of another campus if it were looked at before the policy.
        connection.execute(
            "select 1 from marts.dim_customer where 1 / (case campus_id when 'K0' then 1 else 0 end) = 1"
        )
        statistics = connection.execute(
            "select count(*) from pg_stats where schemaname = 'marts' and tablename = 'dim_customer'"
        ).fetchone()
    assert set(seen) == {"K0"}
    assert statistics == (0,)


def test_a_view_that_asks_as_its_reader_still_does_after_a_swap(logins: Branches) -> None:
    here = logins.warehouse
    run(
        here, Role.ANALYST,
        "create view scratch_analyst.mine with (security_invoker = true) as select * from marts.dim_customer",
    )  # fmt: skip
    run(
        here, Role.ADMIN,
        f"grant usage on schema scratch_analyst to {NORTH}", f"grant select on scratch_analyst.mine to {NORTH}",
    )  # fmt: skip
    ask = "select distinct campus_id from scratch_analyst.mine"
    assert logins.ask(ask) == [("K0",)]
    publish(here, audited(here, "b2", "full"), (*TABLES, DAYS))
    assert logins.ask(ask) == [("K0",)]
    run(here, Role.ADMIN, f"drop owned by {NORTH}", "drop view scratch_analyst.mine")


def test_stage_on_a_day_is_told_for_its_campuses_only(logins: Branches) -> None:
    seen = logins.ask("select distinct campus_id from marts.stage_on('2026-02-01')")
    assert seen == [("K0",)]
    assert rows(logins.warehouse, "select count(*) from marts.stage_on('2026-02-01')", Role.BI_READER) == [
        (200,)
    ]


def test_head_office_sees_every_row(logins: Branches) -> None:
    for role in (Role.BI_READER, Role.ANALYST, Role.TRANSFORMER):
        assert rows(logins.warehouse, "select count(*) from marts.fct_lead", role) == [(200,)]


def test_tables_without_a_campus_are_open_only_where_they_say_so(logins: Branches) -> None:
    assert logins.ask("select count(*) from marts.dim_date") == [(1,)]
    assert logins.ask("select count(*) from marts.publication") == [(1,)]


def test_policies_survive_a_night_a_swap_and_a_rollback(logins: Branches) -> None:
    here = logins.warehouse
    run(here, Role.TRANSFORMER, "update core.dim_customer set balance_amount = 7 where customer_id = 'C1'")
    publish(here, audited(here, "b2", changed=["C1"]), (*TABLES, DAYS))
    assert logins.ask(CAMPUSES) == [("K0",)]
    publish(here, audited(here, "b3", "full"), (*TABLES, DAYS))
    assert logins.ask(CAMPUSES) == [("K0",)]
    rollback(here)
    assert logins.ask(CAMPUSES) == [("K0",)]


def test_every_filtered_table_has_its_policies(logins: Branches) -> None:
    with_campus = rows(
        logins.warehouse,
        "select table_name::text from information_schema.columns"
        " where table_schema = 'marts' and column_name = 'campus_id' order by 1",
    )
    guarded = rows(
        logins.warehouse,
        "select c.relname::text from pg_class as c where c.relnamespace = 'marts'::regnamespace and c.relrowsecurity"
        " and (select count(*) from pg_policy as p where p.polrelid = c.oid) = 2 order by 1",
    )
    assert with_campus == guarded and len(guarded) == 4


def test_a_campus_is_taken_back(logins: Branches) -> None:
    assert branches.revoke(logins.warehouse, BOTH, ["K1"]) == ["K1"]
    assert logins.ask(CAMPUSES, BOTH) == [("K0",)]
    listed = {each.login: each.campuses for each in branches.branches(logins.warehouse)}
    assert listed[NORTH] == listed[BOTH] == ["K0"]
    with pytest.raises(LifecourseError, match="sees none"):
        branches.revoke(logins.warehouse, BOTH, ["K1"])


def test_what_cannot_be_granted_is_said(logins: Branches) -> None:
    for login, campus, said in (
        (NORTH, "K9", "no such campus: K9"),
        ("bi_reader", "K0", "role of the warehouse itself"),
        ("lifecourse_branch", "K0", "role of the warehouse itself"),
        (NORTH, "K" * 60, "cannot be named"),
    ):
        with pytest.raises(LifecourseError, match=said):
            branches.grant(logins.warehouse, login, [campus])


def test_what_it_sees_by_another_role_is_told_and_not_taken_back_silently(logins: Branches) -> None:
    with logins.warehouse.connect_maintenance() as connection:
        connection.execute(f"create role test_branch_outsider; grant test_branch_outsider to {NORTH}")
        connection.execute(f'grant "{branches.CAMPUS_PREFIX}K1" to test_branch_outsider')
    assert logins.ask(CAMPUSES) == [("K0",), ("K1",)]
    listed = {each.login: each.campuses for each in branches.branches(logins.warehouse)}
    assert listed[NORTH] == ["K0", "K1"]
    with pytest.raises(LifecourseError, match="it still sees K1"):
        branches.revoke(logins.warehouse, NORTH)


def test_a_login_of_head_office_is_refused(logins: Branches) -> None:
    with logins.warehouse.connect_maintenance() as connection:
        connection.execute("create role test_branch_outsider login; grant bi_reader to test_branch_outsider")
    with pytest.raises(LifecourseError, match="as a member of bi_reader"):
        branches.grant(logins.warehouse, "test_branch_outsider", ["K0"])


def test_a_login_that_passes_policies_is_refused(logins: Branches) -> None:
    with logins.warehouse.connect_maintenance() as connection:
        if connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() != (
            True,
        ):
            pytest.skip("only a superuser can make such a login")
        connection.execute("create role test_branch_outsider login bypassrls")
    with pytest.raises(LifecourseError, match="no campus could be kept from it"):
        branches.grant(logins.warehouse, "test_branch_outsider", ["K0"])
