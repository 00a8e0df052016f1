"""From a list of customers to phone numbers: by the vault's own functions, which check and log."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.warehouse.branches import refuse_powerful
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.roles import CONTACT, CONTACT_PREFIX, LOGINS

Connection = psycopg.Connection[Any]
LONGEST_LIST = 500


@dataclass(frozen=True)
class Contact:
    """What the vault answered for one customer: a way to reach somebody, or why not."""

    customer_id: str
    is_answered: bool
    reason_code: str
    relation: str | None
    name: str | None
    phone: str | None
    email: str | None


def look_up(
    customers: Sequence[str],
    purpose: str,
    list_name: str,
    connection: Connection | None = None,
    of: Warehouse | None = None,
) -> list[Contact]:
    """Asks for the contacts of a list, a row per customer and contact; refused customers have a reason instead.

    `connection`: a session in autocommit of the login that asks (default: the vault reader's). The question is in
    vault.look_up before anything is answered.
    """
    if connection is None:
        with (of or warehouse()).connect(Role.VAULT_READER, autocommit=True) as session:
            return look_up(customers, purpose, list_name, session)
    found: list[Contact] = []
    wanted = list(dict.fromkeys(customers))
    for start in range(0, len(wanted), LONGEST_LIST):
        ticket = connection.execute(
            "select vault.ask_contacts(%s, %s, %s, %s)",
            (purpose, list_name, wanted[start : start + LONGEST_LIST], getpass.getuser()),
        ).fetchone()
        assert ticket is not None
        found += [Contact(*row) for row in connection.execute("select * from vault.contacts(%s)", ticket)]
    return found


def grant(login: str, purpose: str, of: Warehouse | None = None) -> None:
    """Lets a login look contacts up for a purpose. Raises `LifecourseError` for a purpose that the seed has not."""
    target = of or warehouse()
    _check_purpose(target, purpose)
    role = sql.Identifier(CONTACT_PREFIX + purpose)
    with target.connect_maintenance() as connection:
        known = connection.execute("select 1 from pg_roles where rolname = %s", (login,)).fetchone()
        if known is None:
            raise LifecourseError(
                "there is no such login", f"login {login}", "`lifecourse warehouse branch grant` makes one"
            )
        if login not in LOGINS.values():
            refuse_powerful(connection, login)
        if not connection.execute(
            "select 1 from pg_roles where rolname = %s", (CONTACT_PREFIX + purpose,)
        ).fetchone():
            connection.execute(sql.SQL("create role {} nologin").format(role))
        connection.execute(sql.SQL("grant {} to {}").format(sql.Identifier(CONTACT), role))
        connection.execute(sql.SQL("grant {} to {}").format(role, sql.Identifier(login)))


def revoke(login: str, purpose: str, of: Warehouse | None = None) -> None:
    """Takes the purpose from a login."""
    target = of or warehouse()
    _check_purpose(target, purpose)
    with target.connect_maintenance() as connection:
        connection.execute(
            sql.SQL("revoke {} from {}").format(
                sql.Identifier(CONTACT_PREFIX + purpose), sql.Identifier(login)
            )
        )


def log(of: Warehouse | None = None, limit: int = 50) -> list[tuple[Any, ...]]:
    """The latest look-ups: when, login, person at the keyboard, purpose, list, customers, of them answered."""
    with (of or warehouse()).connect(Role.LOADER) as connection:
        return connection.execute(
            "select min(asked_at), asked_by, on_behalf_of, purpose, list_name, count(*),"
            " count(*) filter (where is_answered) from vault.look_up"
            " group by ticket, asked_by, on_behalf_of, purpose, list_name order by 1 desc limit %s",
            (limit,),
        ).fetchall()


def _check_purpose(target: Warehouse, purpose: str) -> None:
    with target.connect(Role.TRANSFORMER) as connection:
        if connection.execute("select to_regclass('core.consent_purposes')").fetchone() == (None,):
            raise LifecourseError(
                "nothing is built yet", "core", "build a day first: purposes are known then"
            )
        known = [row[0] for row in connection.execute("select purpose from core.consent_purposes order by 1")]
    if purpose not in known:
        raise LifecourseError(
            "no such purpose", purpose, f"purposes are: {', '.join(known)} (seed consent_purposes)"
        )
