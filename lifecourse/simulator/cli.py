"""``lifecourse simulate``: the make-believe institution from the command line."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lifecourse.settings import settings
from lifecourse.simulator.fault_log import read
from lifecourse.simulator.institution import DEFAULT_END_DAY, Institution, Report
from lifecourse.warehouse.connection import warehouse

app = typer.Typer(
    no_args_is_help=True,
    help="A make-believe institution with three source systems: sign-up and teaching as databases, payments as an API.",
)
console = Console()


def _print(report: Report, verb: str) -> None:
    table = Table("table", "rows", title=f"{verb} {report.day}")
    for name, rows in sorted(report.rows.items()):
        table.add_row(name, f"{rows:,}")
    console.print(table)
    console.print(f"{report.total:,} rows in {report.seconds:.1f} s; {report.faults:,} faults planted")
    if report.deleted:
        console.print("deleted: " + ", ".join(f"{n} of {t}" for t, n in sorted(report.deleted.items()) if n))


@app.command()
def create(
    customers: Annotated[int, typer.Option(help="Customers by the last day, 1,000 to 1,000,000")] = 2_000,
    seed: Annotated[int, typer.Option(help="Another seed is another institution")] = 1,
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Last business day filled in")
    ] = datetime(DEFAULT_END_DAY.year, DEFAULT_END_DAY.month, DEFAULT_END_DAY.day),
    faults: Annotated[
        str | None, typer.Option(help="File of faults, or default, none, heavy, two_on_a_row")
    ] = None,
) -> None:
    """Make the three source databases anew: three years of an institution's life."""
    plan: str | Path | None = faults or settings().faults_file
    made = Institution(seed, customers, until.date(), plan)
    _print(made.create(warehouse()), "Created up to the end of")


@app.command()
def advance(days: Annotated[int, typer.Option(min=1, help="How many days to live on")] = 1) -> None:
    """Let the institution live on for a day, or several."""
    at = warehouse()
    for _ in range(days):
        _print(Institution.open(at).advance(at), "Moved on to the end of")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on")] = 8791,
) -> None:
    """Serve the payment system's API until interrupted."""
    from lifecourse.simulator.payments_api import serve as serve_payments

    serve_payments(host, port)


@app.command()
def bills(days: Annotated[int, typer.Option(min=1, help="How many days back")] = 31) -> None:
    """Write the payment channels' daily bills, those that can be downloaded on the institution's day."""
    at = warehouse()
    institution = Institution.open(at)
    written = institution.write_bills(at, days)
    console.print(f"{len(written)} bills in {institution.bills_folder}")


@app.command()
def canaries() -> None:
    """Put values that nobody else has into every personal column: wherever they turn up later, data leaked."""
    at = warehouse()
    institution = Institution.open(at)
    planted = institution.plant_canaries(at)
    console.print(f"{len(planted)} canaries, listed in {institution.folder / 'canaries.json'}")


@app.command()
def truth() -> None:
    """Say where the truth is (which records are one person, who left and why), and how much of it."""
    import pyarrow.parquet as pq

    folder = settings().home / "simulator" / "truth"
    for path in sorted(folder.glob("*.parquet")):
        console.print(f"{path}: {pq.read_metadata(path).num_rows:,} rows")


@app.command()
def faults(night: Annotated[str | None, typer.Option(help="Only those of this business day")] = None) -> None:
    """List the planted faults by kind and by what must become of them."""
    day = date.fromisoformat(night) if night else None
    found = Counter(
        (f.kind, f.table, f.expect)
        for f in read(settings().home / "simulator" / "faults.jsonl")
        if day in (None, f.night)
    )
    table = Table("kind", "table", "must be", "rows")
    for (kind, name, expect), rows in sorted(found.items()):
        table.add_row(kind, name, expect, f"{rows:,}")
    console.print(table)
