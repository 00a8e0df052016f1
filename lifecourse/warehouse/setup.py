"""Databases, roles, schemas, rights and migrations: everything a server needs to be a warehouse.

Safe to run any number of times, on the embedded server and on any Postgres 15+ by the URL of a role that
may create databases and roles (it need not be a superuser).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.connection import warehouse as current_warehouse
from lifecourse.warehouse.locks import LOCK_MIGRATE
from lifecourse.warehouse.migrations import migrate
from lifecourse.warehouse.roles import (
    BRANCH,
    CONTACT,
    DATABASE_RIGHTS,
    DATABASES,
    LOGINS,
    QUIET_ROLES,
    QUIET_SETTINGS,
    ROLE_SETTINGS,
    SCHEMAS,
    SIMULATED,
    WAREHOUSE,
    Role,
    Schema,
)

OLDEST_VERSION = 15
Connection = psycopg.Connection[tuple[Any, ...]]


class SetUpError(LifecourseError):
    """The server cannot be made a warehouse."""


def set_up(warehouse: Warehouse | None = None, databases: Iterable[str] = tuple(DATABASES)) -> Warehouse:
    """Make or mend roles, databases, schemas and rights, run the migrations, and return the warehouse.

    `databases` leaves out some (default: all). Raises SetUpError for a server that is too old or an
    administrator who may not do it, MigrationError for a migration that fails.
    """
    warehouse = warehouse or current_warehouse()
    try:
        with warehouse.connect_maintenance() as connection:
            _check_server(connection)
            connection.execute("select pg_advisory_lock(%s)", (LOCK_MIGRATE,))
            _make_roles(connection, warehouse)
            for database in databases:
                make_database(connection, warehouse, database)
            if WAREHOUSE in databases:
                # The lock is held on: two that set up at once must not both make the schemas.
                _make_schemas(warehouse)
                migrate(warehouse)
                _grant_tables(warehouse)
            for database in databases:
                if database in SIMULATED:
                    _open_simulated(warehouse, database)
    except psycopg.Error as error:
        raise SetUpError(
            f"setting up failed: {sanitised(error)}",
            f"{warehouse.host}:{warehouse.port}",
            "the administrator of LIFECOURSE_WAREHOUSE_URL needs CREATEDB and CREATEROLE",
        ) from None
    return warehouse


def open_clone(warehouse: Warehouse) -> None:
    """Rights on a database that was made as a copy of a warehouse: a copy brings none of its own."""
    with warehouse.connect_maintenance() as connection:
        _grant_database(connection, warehouse, WAREHOUSE)


def drop_databases(warehouse: Warehouse, databases: Iterable[str] = tuple(DATABASES)) -> None:
    """Delete the databases and everything in them; roles stay. Sessions in them are ended."""
    with warehouse.connect_maintenance() as connection:
        for database in databases:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(
                    sql.Identifier(warehouse.name_of(database))
                )
            )


def _check_server(connection: Connection) -> None:
    version = connection.info.server_version // 10000
    if version < OLDEST_VERSION:
        raise SetUpError(
            f"the server is PostgreSQL {version}; {OLDEST_VERSION} or newer is needed",
            f"{connection.info.host}:{connection.info.port}",
            "upgrade it, or leave LIFECOURSE_WAREHOUSE_URL empty and use the embedded one",
        )
    may = connection.execute(
        "select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user"
    ).fetchone()
    assert may is not None
    if not may[0] and not (may[1] and may[2]):
        raise SetUpError(
            f"{connection.info.user} may not create databases and roles",
            "LIFECOURSE_WAREHOUSE_URL",
            f'as a superuser: alter role "{connection.info.user}" createdb createrole',
        )


def _is_superuser(connection: Connection) -> bool:
    row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    return bool(row and row[0])


def _make_roles(connection: Connection, warehouse: Warehouse) -> None:
    superuser = _is_superuser(connection)
    there = {
        name: rest
        for name, *rest in connection.execute(
            "select rolname, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls from pg_roles"
        )
    }
    for role, login in LOGINS.items():
        name = sql.Identifier(login)
        if login not in there:
            connection.execute(sql.SQL("create role {} login").format(name))
        elif there[login][0]:
            # A role of ours never keeps more than it needs, whoever gave it.
            if not superuser:
                raise SetUpError(
                    f"role {login} may do more than a runtime role should (superuser, createdb, createrole, "
                    "replication or bypassrls)",
                    do="take it away as a superuser with `alter role`",
                )
            connection.execute(
                sql.SQL("alter role {} nosuperuser nocreatedb nocreaterole noreplication nobypassrls").format(
                    name
                )
            )
        # Hashed here, so that the password itself stands in no statement and no log.
        hashed = connection.pgconn.encrypt_password(
            warehouse.password(role).encode(), login.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} login password {}").format(name, sql.Literal(hashed.decode()))
        )
        if not superuser:
            _join(connection, login)
        for setting, value in ROLE_SETTINGS.get(role, {}).items():
            connection.execute(
                sql.SQL("alter role {} set {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
            )
        if superuser and role in QUIET_ROLES:
            for setting, value in QUIET_SETTINGS.items():
                connection.execute(
                    sql.SQL("alter role {} set {} = {}").format(
                        name, sql.Identifier(setting), sql.Literal(value)
                    )
                )
    for group in (BRANCH, CONTACT):
        if group not in there:
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(group)))
    _grant_memberships(connection, superuser)


def _grant_memberships(connection: Connection, superuser: bool) -> None:
    """What publishing needs of other roles."""
    publisher = sql.Identifier(Role.PUBLISHER.login)
    # To point an analyst's views to the new tables after a swap.
    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(Role.ANALYST.login), publisher))
    may = connection.execute("select pg_has_role('pg_read_all_stats', 'member with admin option')").fetchone()
    if superuser or (may and may[0]):
        # To see which sessions hold an old snapshot. Without it, every open transaction is waited for.
        connection.execute(sql.SQL("grant pg_read_all_stats to {}").format(publisher))


def _join(connection: Connection, login: str) -> None:
    """Let an administrator who is no superuser act as the role: needed to give it schemas and databases."""
    member = connection.execute("select pg_has_role(current_user, %s, 'member')", (login,)).fetchone()
    newer = connection.info.server_version >= 160000
    usable = (
        connection.execute("select pg_has_role(current_user, %s, 'set')", (login,)).fetchone()
        if newer
        else member
    )
    if not (usable and usable[0]):
        options = sql.SQL(" with inherit true, set true" if newer else "")
        connection.execute(
            sql.SQL("grant {} to {}").format(sql.Identifier(login), sql.Identifier(connection.info.user))
            + options
        )


def make_database(connection: Connection, warehouse: Warehouse, database: str) -> None:
    """Make the database unless it is there, and give its roles their rights on it."""
    owner, _ = DATABASES[database]
    name = warehouse.name_of(database)
    exists = connection.execute("select 1 from pg_database where datname = %s", (name,)).fetchone()
    if not exists:
        connection.execute(
            sql.SQL("create database {} owner {} template template0 encoding 'UTF8' ").format(
                sql.Identifier(name), sql.Identifier(warehouse.login(owner))
            )
            + _locale(connection)
        )
    _grant_database(connection, warehouse, database)


def _locale(connection: Connection) -> sql.SQL:
    """The same sorting and letter case on every server, whatever its language."""
    if connection.info.server_version >= 170000:
        return sql.SQL("locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'")
    row = connection.execute(
        "select collname from pg_collation where collname in ('C.utf8', 'C.UTF-8') order by collname limit 1"
    ).fetchone()
    letters = "C.UTF-8" if row else "C"
    return sql.SQL(f"locale_provider libc lc_collate 'C' lc_ctype '{letters}'")


def _grant_database(connection: Connection, warehouse: Warehouse, database: str) -> None:
    name = sql.Identifier(warehouse.name_of(database))
    owner, others = DATABASES[database]
    connection.execute(sql.SQL("revoke connect, temporary, create on database {} from public").format(name))
    for role in (*others, *([] if owner is Role.ADMIN else [owner])):
        connection.execute(
            sql.SQL("grant connect on database {} to {}").format(name, sql.Identifier(warehouse.login(role)))
        )
    if database == WAREHOUSE:
        for group in (BRANCH, CONTACT):
            connection.execute(
                sql.SQL("grant connect on database {} to {}").format(name, sql.Identifier(group))
            )
        for role, rights in DATABASE_RIGHTS.items():
            connection.execute(
                sql.SQL("grant {} on database {} to {}").format(
                    sql.SQL(rights),
                    name,
                    sql.Identifier(warehouse.login(role)),
                )
            )


def _make_schemas(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.ADMIN) as connection:
        connection.execute("revoke all on schema public from public")
        for schema in SCHEMAS:
            name, owner = sql.Identifier(schema.name), sql.Identifier(schema.owner.login)
            exists = connection.execute(
                "select 1 from pg_namespace where nspname = %s", (schema.name,)
            ).fetchone()
            if not exists:
                connection.execute(sql.SQL("create schema {} authorization {}").format(name, owner))
            for role in (*schema.readers, *schema.callers):
                connection.execute(
                    sql.SQL("grant usage on schema {} to {}").format(name, sql.Identifier(role.login))
                )
            for role in schema.readers:
                connection.execute(
                    sql.SQL(
                        "alter default privileges for role {} in schema {} grant select on tables to {}"
                    ).format(owner, name, sql.Identifier(role.login))
                )
        # Its tables are granted one by one as they are filled, each behind its policies.
        connection.execute(sql.SQL("grant usage on schema marts to {}").format(sql.Identifier(BRANCH)))
        # A table is filled in marts_next and then moved to marts: it brings its rights with it.
        for role in _schema("marts").readers:
            connection.execute(
                sql.SQL(
                    "alter default privileges for role {} in schema marts_next grant select on tables to {}"
                ).format(sql.Identifier(Role.PUBLISHER.login), sql.Identifier(role.login))
            )


def _grant_tables(warehouse: Warehouse) -> None:
    """Rights on what the migrations and earlier versions have made."""
    with warehouse.connect(Role.ADMIN) as connection:
        for schema in SCHEMAS:
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(schema.owner.login)))
            for role in schema.readers:
                connection.execute(
                    sql.SQL("grant select on all tables in schema {} to {}").format(
                        sql.Identifier(schema.name), sql.Identifier(role.login)
                    )
                )
            for role, tables in schema.writers.items():
                for table, rights in tables.items():
                    connection.execute(
                        sql.SQL("grant {} on {} to {}").format(
                            sql.SQL(rights),
                            sql.Identifier(schema.name, table),
                            sql.Identifier(role.login),
                        )
                    )
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(Role.PUBLISHER.login)))
        connection.execute(sql.SQL("grant select on marts.publication to {}").format(sql.Identifier(BRANCH)))
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(Role.LOADER.login)))
        # They check who asks for what, and write it down: nothing else of the vault is open to anybody.
        connection.execute(
            sql.SQL(
                "grant usage on schema vault to {0};"
                " grant execute on function vault.ask_contacts(text, text, text[], text), vault.contacts(uuid) to {0}"
            ).format(sql.Identifier(CONTACT))
        )


def _schema(name: str) -> Schema:
    return next(schema for schema in SCHEMAS if schema.name == name)


def _open_simulated(warehouse: Warehouse, database: str) -> None:
    """The source reader sees schema public of a simulated source, and no other schema there."""
    with warehouse.connect(Role.SIMULATOR, database) as connection:
        reader = sql.Identifier(Role.SOURCE_READER.login)
        connection.execute(sql.SQL("revoke create on schema public from public"))
        connection.execute(sql.SQL("grant usage on schema public to {}").format(reader))
        connection.execute(sql.SQL("grant select on all tables in schema public to {}").format(reader))
        connection.execute(
            sql.SQL("alter default privileges in schema public grant select on tables to {}").format(reader)
        )
