"""``lifecourse build ...``: build a day, rebuild an old one, see what was built."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lifecourse.errors import LifecourseError

app = typer.Typer(
    no_args_is_help=True,
    help="Build the marts of a day from what was loaded: transform, audit, publish.",
)
console = Console()

Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="Business day, e.g. 2026-03-01")]


@app.command("run")
def run(
    day: Day,
    full: Annotated[
        bool, typer.Option("--full", help="Compute every customer, not only those that changed")
    ] = False,
) -> None:
    """Build a day, audit it and publish it.

    Every connected system must have delivered the day. Interrupted, it resumes where it was when run again;
    failed, it leaves marts as it is and says which model, test or check it was and what to do.
    """
    from lifecourse.building import run as stages

    _report(stages.build(day.date(), full=full))


@app.command("rebuild-day")
def rebuild_day(
    day: Day,
    known_at: Annotated[
        int | None,
        typer.Option(
            help="Answer with what was known after this load (see meta.batch), not with today's knowledge"
        ),
    ] = None,
) -> None:
    """Build an old day into a schema of its own, asof_<day>; marts and tonight's build are left alone."""
    from lifecourse.building import run as stages
    from lifecourse.building.plan import CORE
    from lifecourse.warehouse.connection import Role, warehouse

    if known_at is None and not _is_old(day.date(), warehouse().connect(Role.TRANSFORMER)):
        raise LifecourseError(
            f"{day:%Y-%m-%d} is not before the published day",
            do="`lifecourse build run` builds it for readers",
        )
    done = stages.build(day.date(), known_at=known_at)
    assert done.schema_name != CORE
    _report(done)


def _is_old(day: date, connection: object) -> bool:
    from lifecourse.building.plan import Connection, current

    with connection as session:  # type: ignore[attr-defined]
        typed: Connection = session
        published = current(typed)
    return published is not None and day < published.as_of


@app.command("status")
def status(limit: Annotated[int, typer.Option(help="How many builds")] = 10) -> None:
    """The latest builds: day, kind, how they ended, customers computed, seconds by stage."""
    from lifecourse.building import run as stages

    table = Table("build", "day", "kind", "schema", "status", "customers", "seconds by stage", "error")
    for each in stages.builds(limit):
        seconds = " ".join(f"{stage} {value:g}" for stage, value in each.stage_seconds.items())
        table.add_row(
            each.build_id, f"{each.as_of}", each.kind, each.schema_name, each.status,
            f"{each.changed_customers if each.changed_customers is not None else ''}", seconds, each.error or "",
        )  # fmt: skip
    console.print(table)


def _report(done: object) -> None:
    from lifecourse.building.run import Build

    assert isinstance(done, Build)
    seconds = sum(done.stage_seconds.values())
    where = "marts" if done.status == "published" else done.schema_name
    console.print(
        f"{done.as_of} is in {where}: build {done.build_id}, {done.kind}, "
        f"{done.changed_customers} customers computed in {seconds:.0f} s"
    )
