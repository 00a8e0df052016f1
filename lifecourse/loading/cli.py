"""``lifecourse load ...``: what a data engineer does to the loader by hand, one command each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(no_args_is_help=True, help="Pull, merge, quarantine, watermarks: the loader by hand.")
console = Console()

System = Annotated[str, typer.Argument(help="System, as named in sources/*.yml")]
TableName = Annotated[str, typer.Argument(help="Table of that system, as named in its YAML")]
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Business day, e.g. 2026-03-01")]


@app.command()
def day(system: System, business_day: Day) -> None:
    """Pull, check, merge and deliver one business day of one system. Safe to run twice."""
    from lifecourse.loading import deliver, merge_system, pull_system

    pulled = pull_system(system, business_day.date())
    merged = merge_system(system, business_day.date())
    table = Table(
        "table", "read", "inserted", "updated", "unchanged", "quarantined", "erased", "deleted", "released"
    )
    for name, counts in merged.tables.items():
        table.add_row(
            name,
            *(
                f"{value:,}"
                for value in (
                    counts.read,
                    counts.inserted,
                    counts.updated,
                    counts.unchanged,
                    counts.quarantined,
                    counts.suppressed,
                    counts.deleted,
                    counts.released,
                )
            ),
        )
    console.print(table)
    for name, reason in {**pulled.errors, **merged.refused}.items():
        console.print(f"[red]{name}[/]: {reason}")
    deliver(system, business_day.date())
    console.print(f"{system} has delivered {business_day.date()}")


@app.command()
def quarantine(
    system: Annotated[str | None, typer.Argument(help="Only this system")] = None,
    all_rows: Annotated[
        bool, typer.Option("--closed", help="Released, resolved and discarded rows, too")
    ] = False,
) -> None:
    """List quarantined rows by table and rule."""
    from lifecourse.loading.quarantine import by_rule

    table = Table("table", "rule", "status", "rows", "first batch", "last seen")
    for found in by_rule(system, with_closed=all_rows):
        table.add_row(
            found.relation,
            found.rule,
            found.status,
            f"{found.rows:,}",
            str(found.first_batch),
            f"{found.last_seen:%F %H:%M}",
        )
    console.print(table if table.row_count else "Nothing is in quarantine.")


@app.command()
def keys(
    system: System, table: TableName, limit: Annotated[int, typer.Option(help="At most so many")] = 50
) -> None:
    """Show the keys of a table's open quarantine rows and the rules they break; never other columns."""
    from lifecourse.loading.quarantine import open_keys

    shown = Table("key", "rules", "batch")
    for key, rules, batch in open_keys(system, table, limit):
        shown.add_row(key, ", ".join(rules), str(batch))
    console.print(shown)


@app.command()
def release(
    system: System, table: TableName, key: Annotated[list[str], typer.Option(help="Key; may be repeated")]
) -> None:
    """Merge quarantined rows although they break a rule. Recorded with the name of whoever does it."""
    from lifecourse.loading.quarantine import release as release_rows

    console.print(f"{release_rows(system, table, key)} rows released")


@app.command()
def discard(
    system: System, table: TableName, key: Annotated[list[str], typer.Option(help="Key; may be repeated")]
) -> None:
    """Close quarantined rows for good. A new version from the source is looked at afresh."""
    from lifecourse.loading.quarantine import discard as discard_rows

    console.print(f"{discard_rows(system, table, key)} rows discarded")


@app.command("reset-watermark")
def reset_watermark(
    system: System,
    table: TableName,
    to: Annotated[
        datetime | None, typer.Option(help="Instant to pull from; default: from the beginning")
    ] = None,
) -> None:
    """Make the next pull read further back. Rows that are there already stay as they are."""
    from lifecourse.loading.maintenance import reset_watermark as reset

    reset(system, table, to)
    console.print(f"the next pull of {system}.{table} reads {'everything' if to is None else f'from {to}'}")


@app.command("accept-columns")
def accept_columns(system: System, table: TableName) -> None:
    """Take the source table's present columns as the right ones, after a change that stopped it."""
    from lifecourse.loading.maintenance import accept_columns as accept

    for name, kind in accept(system, table):
        console.print(f"  {name} {kind}")


@app.command()
def clean() -> None:
    """Drop landing tables that no batch waits for any more."""
    from lifecourse.loading.maintenance import drop_orphans

    console.print(f"{drop_orphans()} landing tables dropped")


@app.command()
def status(business_day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None) -> None:
    """What has been loaded: the last batch of every table, or every batch of a day."""
    from lifecourse.loading.maintenance import batches

    table = Table(
        "batch",
        "table",
        "day",
        "status",
        "read",
        "inserted",
        "updated",
        "unchanged",
        "quarantined",
        "compared",
        "error",
    )
    wanted: date | None = business_day.date() if business_day else None
    for row in batches(wanted):
        table.add_row(
            *(
                "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
                for value in row
            )
        )
    console.print(table)


@app.command()
def check() -> None:
    """Read sources/*.yml and say what is wrong with it, with file and line."""
    from lifecourse.sources.spec import load_systems

    for name, system in load_systems().items():
        console.print(f"{name}: {system.kind}, {len(system.tables)} tables, serves {system.serves}")
