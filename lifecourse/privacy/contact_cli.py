"""``lifecourse contact ...``: from a list of customers to phone numbers, checked and logged."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="From a list of customers to phone numbers, checked and logged.")
console = Console(highlight=False)

Login = Annotated[str, typer.Argument(help="Login of the database")]
Purpose = Annotated[str, typer.Option(help="What for: a purpose of the seed consent_purposes")]


@app.command("look-up")
def look_up(
    customers: Annotated[
        list[str] | None, typer.Argument(help="Customer ids", metavar="[CUSTOMER]...", show_default=False)
    ] = None,
    purpose: Purpose = "",
    from_list: Annotated[
        Path | None, typer.Option("--list", help="CSV with a column customer_id", exists=True, dir_okay=False)
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            help="Login to ask as; its password is asked for. Default: the vault reader of this machine"
        ),
    ] = None,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Write CSV to the standard output instead of a table")
    ] = False,
) -> None:
    """Look contacts up for a purpose. Everybody asked for is logged, answered or not."""
    import getpass

    from lifecourse.errors import LifecourseError
    from lifecourse.privacy import contacts
    from lifecourse.warehouse.connection import warehouse

    wanted = list(customers or [])
    if from_list:
        with from_list.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if "customer_id" not in (reader.fieldnames or []):
                raise LifecourseError("has no column customer_id", from_list.name, "export it with the list")
            wanted += [row["customer_id"] for row in reader if row["customer_id"]]
    if not wanted or not purpose:
        raise LifecourseError(
            "whom, and what for?",
            "lifecourse contact look-up",
            "name customers or --list FILE, and --purpose",
        )
    name = from_list.name if from_list else "by hand"
    target = warehouse()
    if role:
        import psycopg

        with psycopg.connect(
            host=target.host, port=target.port, dbname=target.name_of(), user=role,
            password=getpass.getpass(f"Password of {role}: "), autocommit=True,
            # Readers' sessions are read only; a look-up is written down.
            options="-c default_transaction_read_only=off",
        ) as session:  # fmt: skip
            found = contacts.look_up(wanted, purpose, name, session)
    else:
        found = contacts.look_up(wanted, purpose, name, of=target)
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["customer_id", "reason_code", "relation", "name", "phone", "email"])
        for each in found:
            writer.writerow(
                [each.customer_id, each.reason_code, each.relation, each.name, each.phone, each.email]
            )
        return
    table = Table("customer", "answer", "whom", "name", "phone", "e-mail", box=None)
    for each in found:
        table.add_row(
            each.customer_id,
            each.reason_code,
            each.relation or "",
            each.name or "",
            each.phone or "",
            each.email or "",
        )
    console.print(table)


@app.command()
def grant(login: Login, purpose: Purpose) -> None:
    """Let a login look up contacts for a purpose. Branch logins go on seeing their campuses only."""
    from lifecourse.privacy import contacts

    contacts.grant(login, purpose)
    console.print(f"{login} may look up contacts for {purpose}.")


@app.command()
def revoke(login: Login, purpose: Purpose) -> None:
    """Take a purpose from a login."""
    from lifecourse.privacy import contacts

    contacts.revoke(login, purpose)
    console.print(f"{login} may no longer look up contacts for {purpose}.")


@app.command("log")
def log_(limit: Annotated[int, typer.Option(help="How many look-ups")] = 50) -> None:
    """Who looked up how many for what, the latest first."""
    from lifecourse.privacy import contacts

    table = Table("when", "login", "person", "purpose", "list", "customers", "answered", box=None)
    for when, *rest in contacts.log(limit=limit):
        table.add_row(f"{when:%Y-%m-%d %H:%M}", *(str(each if each is not None else "") for each in rest))
    console.print(table)
