"""``lifecourse privacy ...``: erasure requests, retention, keys of the vault."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Erasure requests, retention, keys of the vault.")
console = Console(highlight=False)


@app.command()
def erase(
    customer: Annotated[
        str | None, typer.Argument(help="Customer id, e.g. C000000042", show_default=False)
    ] = None,
    learner: Annotated[
        str | None, typer.Option(help="Or the learner's number in the teaching system")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the ledger; no name")] = "request of the person",
    now: Annotated[
        bool, typer.Option("--now", help="Honour it at once, not with the next run of the DAG")
    ] = False,
) -> None:
    """Write an erasure request into the ledger."""
    from lifecourse.privacy import ledger
    from lifecourse.warehouse.connection import warehouse

    request = ledger.ask(customer, learner, reason, of=warehouse())
    console.print(f"Request {request} is in the ledger.")
    if now:
        honour()


@app.command()
def honour() -> None:
    """Honour every open request, and take up those that were interrupted. Safe to run twice."""
    from lifecourse.privacy import erasure, ledger

    read = ledger.read_inbox()
    done = erasure.honour()
    if read:
        console.print(f"{read} requests came by file.")
    for request in done:
        searched = (request.report or {}).get("searched_for", {})
        console.print(
            f"Request {request.request_id} is honoured: {searched.get('tokens', 0)} tokens and their values are gone,"
            " every table and file was searched and holds nothing of the person.",
            soft_wrap=True,
        )
    if not done:
        console.print("Nothing was open.")


@app.command()
def requests() -> None:
    """List the ledger."""
    from lifecourse.privacy import ledger

    table = Table("request", "requested", "came by", "reason", "status", "honoured", box=None)
    for each in ledger.requests():
        table.add_row(
            each.request_id,
            f"{each.requested_at:%Y-%m-%d %H:%M}",
            each.came_by,
            each.reason,
            each.status,
            f"{each.honoured_at:%Y-%m-%d %H:%M}" if each.honoured_at else "",
        )
    console.print(table)


@app.command()
def report(request: Annotated[str, typer.Argument(help="Request, as `requests` lists it")]) -> None:
    """What was searched for and found when a request was honoured."""
    import json

    from lifecourse.errors import LifecourseError
    from lifecourse.privacy import ledger

    for each in ledger.requests():
        if each.request_id == request:
            console.print_json(json.dumps({"status": each.status, **(each.report or {})}))
            return
    raise LifecourseError("no such request", request, "`lifecourse privacy requests` lists them")


@app.command()
def lift(request: Annotated[str, typer.Argument(help="Request, as `requests` lists it")]) -> None:
    """Let sources bring rows of that person again, who has come back. What was erased stays erased."""
    from lifecourse.privacy import ledger

    ledger.lift(request)
    console.print("The next pull takes that person in like anybody else.")


@app.command()
def replay() -> None:
    """After a restore: erase again whom the ledger file names."""
    from lifecourse.privacy import erasure

    done = erasure.replay()
    console.print(f"{len(done)} requests were honoured again.")


@app.command()
def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is past its time")] = False,
) -> None:
    """Ask for the erasure of whom nobody needs any more, and drop superseded versions past their time."""
    from lifecourse.privacy import retention

    for rule, count in retention.apply(dry_run=dry_run).items():
        console.print(f"{rule}: {count:,}")


@app.command("rotate-key")
def rotate_key() -> None:
    """Take a new key for the vault's marks. Tokens stay, so nobody changes identity. Resumes if interrupted."""
    from lifecourse.privacy import rotation

    key_id, marks = rotation.rotate()
    console.print(f"{marks:,} marks are made with key {key_id}. The old key is needed no more.")
