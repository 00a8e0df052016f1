"""Where the warehouse is, and how to log in to it: one place for host, port, names and passwords."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from lifecourse.errors import LifecourseError, sanitised
from lifecourse.secrets import secret
from lifecourse.settings import settings
from lifecourse.warehouse.embedded import ADMIN, HOST, EmbeddedPostgres
from lifecourse.warehouse.roles import LOGINS, WAREHOUSE, Role

__all__ = ["Role", "Warehouse", "WarehouseUnreachable", "warehouse"]

CONNECT_SECONDS = 10
#: Appended to every database name: several warehouses on one server, each under a suffix of its own.
SUFFIX_VARIABLE = "LIFECOURSE_DATABASE_SUFFIX"


class WarehouseUnreachable(LifecourseError):
    """No session could be opened: server down, database or role missing, password refused."""


@dataclass(frozen=True)
class Warehouse:
    """A server with the warehouse's databases, and the names and passwords to log in with."""

    host: str
    port: int
    database: str = WAREHOUSE
    admin_login: str = ADMIN
    #: Passwords by role; those absent are asked from `lifecourse.secrets` as ``warehouse_<role>``.
    passwords: Mapping[Role, str] = field(default_factory=dict, repr=False)
    #: The database an administrator may connect to before ours exist.
    maintenance_database: str = "postgres"
    #: Further parameters of the connection, such as sslmode.
    parameters: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""

    def name_of(self, database: str | None = None) -> str:
        """The database's name on the server (default: the warehouse database)."""
        return f"{database or self.database}{self.suffix}"

    def login(self, role: Role) -> str:
        return self.admin_login if role is Role.ADMIN else LOGINS[role]

    def password(self, role: Role) -> str:
        return self.passwords.get(role) or secret(f"warehouse_{role}")

    def url(self, role: Role | str, database: str | None = None, driver: str = "postgresql") -> str:
        """URL with password, for programs that want one: `driver` may be ``postgresql+psycopg2`` and so on."""
        role = Role(role)
        return self._url(role, self.name_of(database), driver, self.password(role))

    def masked_url(self, role: Role | str, database: str | None = None, driver: str = "postgresql") -> str:
        """The same with stars for the password: for what is printed or logged."""
        return self._url(Role(role), self.name_of(database), driver, None)

    def _url(self, role: Role, database: str, driver: str, password: str | None) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        who = f"{quote(self.login(role), safe='')}:{'***' if password is None else quote(password, safe='')}"
        query = f"?{urlencode(self.parameters)}" if self.parameters else ""
        return f"{driver}://{who}@{host}:{self.port}/{quote(database, safe='')}{query}"

    def connect(
        self, role: Role | str, database: str | None = None, autocommit: bool = False
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A session whose time zone is the institution's.

        Raises WarehouseUnreachable, with what to do.
        """
        return self._connect(Role(role), self.name_of(database), autocommit)

    def connect_maintenance(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The administrator's session outside the warehouse's databases, in autocommit: to create those."""
        return self._connect(Role.ADMIN, self.maintenance_database, True)

    def _connect(self, role: Role, database: str, autocommit: bool) -> psycopg.Connection[tuple[Any, ...]]:
        parameters: dict[str, Any] = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": f"lifecourse {role}",
            **self.parameters,
        }
        try:
            return psycopg.connect(
                host=self.host,
                port=self.port,
                dbname=database,
                user=self.login(role),
                password=self.password(role),
                options=f"-c TimeZone={settings().timezone}",
                autocommit=autocommit,
                **parameters,
            )
        except psycopg.OperationalError as error:
            raise self._unreachable(role, database, error) from None

    def _unreachable(
        self, role: Role, database: str, error: psycopg.OperationalError
    ) -> WarehouseUnreachable:
        said = str(error)
        if "password authentication failed" in said or "no password supplied" in said:
            what = f"the server refuses the password of {self.login(role)}"
            do = (
                f"put the right one into LIFECOURSE_SECRET_WAREHOUSE_{role.upper()} or <home>/secrets.json, "
                "or run `lifecourse warehouse setup`, which sets the passwords of all roles but the administrator's"
            )
        elif "does not exist" in said:
            what = f"there is no database {database} or no role {self.login(role)}"
            do = "run `lifecourse warehouse setup`"
        elif "permission denied for database" in said:
            what, do = f"{self.login(role)} may not connect to {database}", "use another role or database"
        else:
            what = f"no session as {self.login(role)} in {database}: {sanitised(error)}"
            do = "`lifecourse warehouse status`; `lifecourse warehouse start` for the embedded one"
        return WarehouseUnreachable(what, f"{self.host}:{self.port}", do)

    def wait(self, seconds: float = 30) -> None:
        """Wait until the server lets the administrator in; raise WarehouseUnreachable after that time."""
        give_up = time.monotonic() + seconds
        while True:
            try:
                self.connect_maintenance().close()
                return
            except WarehouseUnreachable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.2)

    def with_suffix(self, suffix: str) -> Warehouse:
        """The warehouse under other database names on the same server."""
        return replace(self, suffix=suffix)


def from_url(url: str, suffix: str = "") -> Warehouse:
    """A warehouse on any Postgres, by the URL of a role that may create databases and roles.

    The database in the URL (default ``postgres``) is where that role connects first. Raises LifecourseError
    for a URL that names no TCP host.
    """
    where = "LIFECOURSE_WAREHOUSE_URL"
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except psycopg.ProgrammingError:
        # The message of the parser may quote the password.
        raise LifecourseError(
            "not a Postgres URL", where, "write postgresql://user:password@host:5432/postgres"
        ) from None
    host = parts.pop("host", "")
    if not host or host.startswith("/") or "," in host:
        raise LifecourseError(
            "names no single TCP host", where, "write postgresql://user:password@host:5432/postgres"
        )
    user = parts.pop("user", None)
    if not user:
        raise LifecourseError("names no user", where, "write postgresql://user:password@host:5432/postgres")
    password = parts.pop("password", None)
    return Warehouse(
        host=host,
        port=int(parts.pop("port", "5432")),
        admin_login=user,
        passwords={Role.ADMIN: password} if password else {},
        maintenance_database=parts.pop("dbname", "postgres"),
        parameters=parts,
        suffix=suffix,
    )


def warehouse() -> Warehouse:
    """The warehouse of the settings: LIFECOURSE_WAREHOUSE_URL, else the embedded server, which must run.

    Raises WarehouseUnreachable when the embedded server is not running.
    """
    suffix = os.environ.get(SUFFIX_VARIABLE, "")
    url = settings().warehouse_url
    if url:
        return from_url(url, suffix)
    port = EmbeddedPostgres().port()
    if port is None:
        raise WarehouseUnreachable(
            "the embedded warehouse does not run", str(settings().home), "run `lifecourse warehouse start`"
        )
    return Warehouse(host=HOST, port=port, suffix=suffix)
