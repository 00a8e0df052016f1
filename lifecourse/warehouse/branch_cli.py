"""``lifecourse warehouse branch ...``: logins that see the rows of their campuses only."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(
    no_args_is_help=True,
    help="Logins of branches: each sees the rows of its campuses in marts, and no others.",
)
console = Console(highlight=False)

Login = Annotated[str, typer.Argument(help="Name of the login.")]
Campuses = Annotated[
    list[str], typer.Option("--campus", help="Campus id, as in marts.dim_campus. Repeat for more.")
]


@app.command()
def grant(login: Login, campus: Campuses) -> None:
    """Let a login see campuses, besides those it sees already. A new login is made, its password shown once."""
    from lifecourse.warehouse.branches import grant as grant_campuses
    from lifecourse.warehouse.connection import warehouse

    here = warehouse()
    password = grant_campuses(here, login, campus)
    console.print(f"{login} sees {', '.join(campus)} of marts.")
    if password:
        console.print("Its password, shown this once (`alter role ... password` gives another):")
        print(password)
    console.print(
        f"psql --host={here.host} --port={here.port} --dbname={here.name_of()} --username={login}",
        soft_wrap=True,
    )


@app.command()
def revoke(
    login: Login,
    campus: Annotated[
        list[str] | None, typer.Option("--campus", help="Campus id; default: all it sees.")
    ] = None,
) -> None:
    """Take campuses from a login, from its next query on. The login stays."""
    from lifecourse.warehouse.branches import revoke as revoke_campuses
    from lifecourse.warehouse.connection import warehouse

    taken = revoke_campuses(warehouse(), login, campus or ())
    console.print(f"{login} no longer sees {', '.join(taken)}.")


@app.command(name="list")
def list_() -> None:
    """List the logins that see campuses."""
    from lifecourse.warehouse.branches import branches
    from lifecourse.warehouse.connection import warehouse

    found = branches(warehouse())
    table = Table("login", "campuses", box=None)
    for each in found:
        table.add_row(each.login, ", ".join(each.campuses))
    console.print(table if found else "No login sees single campuses.")
