"""Branches: logins that see the rows of their campuses, and no others.

Who sees what is a matter of role membership alone. Each campus has a group role ``lifecourse_campus_<campus_id>``;
a login that is a member of it sees that campus's rows in ``marts``. No setting, no view and no table decides that a
user could change. Head office (bi_reader, analyst) sees every row.

Every public table gets its policies while it is filled in ``marts_next``, so that they are there before the first
row is visible. A table with ``campus_id`` is filtered; rows of no campus are for head office. A table without is
closed to branches unless its model says ``open_to_branches`` in its meta: figures of the whole institution could be
taken apart otherwise.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.warehouse.connection import Warehouse
from lifecourse.warehouse.public_table import MARTS, NEXT, READERS, Connection, PublicTable
from lifecourse.warehouse.roles import BRANCH, CAMPUS_PREFIX, LOGINS, READER_SETTINGS, Role

CAMPUS_COLUMN = "campus_id"
#: Postgres cuts longer names of roles, and two campuses would share one.
NAME_BYTES = 63


@dataclass(frozen=True)
class Branch:
    """A login and the campuses that it sees."""

    login: str
    campuses: Sequence[str]


def protect(connection: Connection, table: PublicTable, columns: Sequence[str]) -> None:
    """Policies and rights of a table that is being filled, in the transaction that made it."""
    new = sql.Identifier(NEXT, table.name)
    branch = sql.Identifier(BRANCH)
    if CAMPUS_COLUMN not in columns:
        if table.open_to_branches:
            connection.execute(sql.SQL("grant select on {} to {}").format(new, branch))
        return
    whole = sql.SQL(", ").join(sql.Identifier(role.login) for role in READERS)
    connection.execute(
        sql.SQL(
            "alter table {new} enable row level security;"
            " create policy whole on {new} for select to {whole} using (true);"
            # A subquery without a row of the table in it: found out once per query, not once per row.
            " create policy campus on {new} for select to {branch}"
            " using ({campus} = any ((select {marts}.my_campuses())::text[]));"
            " grant select on {new} to {branch}"
        ).format(
            new=new,
            whole=whole,
            branch=branch,
            campus=sql.Identifier(CAMPUS_COLUMN),
            marts=sql.Identifier(MARTS),
        )
    )


def grant(warehouse: Warehouse, login: str, campuses: Sequence[str]) -> str | None:
    """Let a login see campuses, besides those it sees already; make the login if there is none.

    Returns the password of a new login, which is kept nowhere. Raises `LifecourseError` for a login of the
    warehouse's own or one that may pass the policies, and for a campus that is not in marts.dim_campus.
    """
    with warehouse.connect_maintenance() as connection:
        known = _attributes(connection, login)
        if login in LOGINS.values() or login == BRANCH or login.startswith(CAMPUS_PREFIX):
            raise LifecourseError(
                "it is a role of the warehouse itself", f"login {login}", "choose another name"
            )
        if known:
            refuse_powerful(connection, login)
        _check_campuses(warehouse, campuses)
        password = None
        with connection.transaction():
            if known is None:
                password = secrets.token_urlsafe(18)
                _create(connection, login, password)
            for campus in campuses:
                _campus_role(connection, campus)
                connection.execute(
                    sql.SQL("grant {} to {}").format(
                        sql.Identifier(CAMPUS_PREFIX + campus), sql.Identifier(login)
                    )
                )
    return password


def revoke(warehouse: Warehouse, login: str, campuses: Sequence[str] = ()) -> list[str]:
    """Take campuses (default: all) from a login; those taken. The login itself stays.

    Raises `LifecourseError` where it sees none of them, or goes on seeing one by another role it is a member of.
    """
    with warehouse.connect_maintenance() as connection:
        taken = [campus for campus in _seen_by(connection, login) if not campuses or campus in campuses]
        if not taken:
            raise LifecourseError(
                "it sees none of them",
                f"login {login}",
                "`lifecourse warehouse branch list` says who sees what",
            )
        for campus in taken:
            connection.execute(
                sql.SQL("revoke {} from {}").format(
                    sql.Identifier(CAMPUS_PREFIX + campus), sql.Identifier(login)
                )
            )
        left = [campus for campus in taken if campus in _seen_by(connection, login)]
        if left:
            raise LifecourseError(
                f"it still sees {', '.join(left)}: by another role, or somebody else granted it",
                f"login {login}",
                "as a superuser, `\\drg` in psql lists what it is a member of and who granted it; revoke it there",
            )
    return taken


def branches(warehouse: Warehouse) -> list[Branch]:
    """Logins that see single campuses, by themselves or by a role they are members of, by name."""
    with warehouse.connect_maintenance() as connection:
        logins = connection.execute(
            "select r.rolname::text from pg_roles as r where r.rolcanlogin and not r.rolsuper"
            " and r.rolname <> all (%s) and r.rolname <> current_user order by 1",
            (list(LOGINS.values()),),
        ).fetchall()
        found = [Branch(login, _seen_by(connection, login)) for (login,) in logins]
    return [branch for branch in found if branch.campuses]


def _seen_by(connection: Connection, login: str) -> list[str]:
    return [
        campus
        for (campus,) in connection.execute(
            "select substr(r.rolname::text, %s) from pg_roles as r"
            " where starts_with(r.rolname::text, %s) and pg_has_role(%s::name, r.oid, 'member') order by 1",
            (len(CAMPUS_PREFIX) + 1, CAMPUS_PREFIX, login),
        )
    ]


def refuse_powerful(connection: Connection, login: str) -> None:
    """A login that is, or may become, somebody whom the policies do not hold."""
    row = connection.execute(
        "select r.rolname::text from pg_roles as r where pg_has_role(%s::name, r.oid, 'member')"
        " and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolname = any (%s)) order by 1 limit 1",
        (login, list(LOGINS.values())),
    ).fetchone()
    if row:
        by = "it is" if row[0] == login else f"as a member of {row[0]} it is"
        raise LifecourseError(
            f"no campus could be kept from it: {by} allowed to see every row, or to pass row-level security",
            f"login {login}",
            "choose another, or take those rights away",
        )


def _attributes(connection: Connection, login: str) -> tuple[bool, bool] | None:
    return connection.execute(
        "select rolsuper, rolbypassrls from pg_roles where rolname = %s", (login,)
    ).fetchone()


def _check_campuses(warehouse: Warehouse, campuses: Sequence[str]) -> None:
    for campus in campuses:
        if not re.fullmatch(r"\S+", campus) or len((CAMPUS_PREFIX + campus).encode()) > NAME_BYTES:
            raise LifecourseError(
                f"a role cannot be named after it: {NAME_BYTES - len(CAMPUS_PREFIX)} bytes without spaces at most",
                f"campus {campus}", "give the campus a shorter id in its source description",
            )  # fmt: skip
    with warehouse.connect(Role.PUBLISHER) as connection:
        if connection.execute("select to_regclass('marts.dim_campus')").fetchone() == (None,):
            raise LifecourseError(
                "nothing is published", MARTS, "build and publish first: campuses are known then"
            )
        known = {row[0] for row in connection.execute("select campus_id from marts.dim_campus")}
    unknown = [campus for campus in campuses if campus not in known]
    if unknown:
        raise LifecourseError(
            f"no such campus: {', '.join(unknown)}", "marts.dim_campus",
            f"campuses are: {', '.join(sorted(known)[:20])}{' ...' if len(known) > 20 else ''}",
        )  # fmt: skip


def _create(connection: Connection, login: str, password: str) -> None:
    # Hashed here, so that the password itself stands in no statement and no log.
    hashed = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    name = sql.Identifier(login)
    connection.execute(
        sql.SQL("create role {} login nocreatedb nocreaterole nobypassrls password {}").format(
            name, sql.Literal(hashed)
        )
    )
    for setting, value in READER_SETTINGS.items():
        connection.execute(
            sql.SQL("alter role {} set {} = {}").format(name, sql.Identifier(setting), sql.Literal(value))
        )


def _campus_role(connection: Connection, campus: str) -> None:
    role = CAMPUS_PREFIX + campus
    if _attributes(connection, role) is None:
        connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(BRANCH), sql.Identifier(role)))
