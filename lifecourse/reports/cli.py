"""``lifecourse report``: pages for people outside the warehouse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lifecourse.errors import LifecourseError
from lifecourse.lifecycle.history import READERS
from lifecourse.lifecycle.names import Language
from lifecourse.reports.page import page
from lifecourse.reports.reading import learners_of, monday_of, read_reports
from lifecourse.reports.words import Words
from lifecourse.warehouse.connection import Role, warehouse

app = typer.Typer(no_args_is_help=True, help="Pages for guardians, made from marts.")
console = Console(highlight=False)


@app.callback()
def group() -> None:
    """Pages for guardians, made from marts."""


@app.command()
def learner(
    customer: Annotated[
        str | None,
        typer.Argument(help="Customer id, e.g. C000000042", metavar="CUSTOMER", show_default=False),
    ] = None,
    week: Annotated[str, typer.Option(help="ISO week, e.g. 2026-W10")] = "",
    out: Annotated[Path, typer.Option(help="Folder the pages are written into")] = Path("reports"),
    everybody: Annotated[
        bool, typer.Option("--all", help="A page for each reportable learner with something in that week")
    ] = False,
    campus: Annotated[str | None, typer.Option(help="With --all: of this campus only")] = None,
    class_id: Annotated[str | None, typer.Option("--class", help="With --all: of this class only")] = None,
    lang: Annotated[Language, typer.Option(help="Language of the page")] = Language.EN,
    role: Annotated[Role, typer.Option(help="Whom to read marts as: bi_reader or analyst")] = Role.BI_READER,
) -> None:
    """Write the weekly learning report of a learner, or of all, one HTML page each.

    The page names the learner by number: from a number to a name leads the vault only. Read from marts.
    """
    if role not in READERS:
        raise LifecourseError(f"{role} does not read marts", "--role", "bi_reader or analyst")
    if everybody == (customer is not None) or ((campus or class_id) and not everybody):
        raise LifecourseError(
            "whose report?",
            "lifecourse report learner",
            "name a customer, or say --all [--campus ID] [--class ID]",
        )
    monday = monday_of(week)
    at = warehouse()
    customers = [customer] if customer else learners_of(at, monday, campus, class_id, role)
    words = Words(lang)
    out.mkdir(parents=True, exist_ok=True)
    for report in read_reports(at, customers, monday, role):
        path = out / f"{report.learner.customer_id}-{week}.html"
        path.write_text(page(report, words), encoding="utf-8")
    if customer:
        console.print(str(path), soft_wrap=True)
    else:
        console.print(f"{len(customers):,} pages in {out}", soft_wrap=True)
