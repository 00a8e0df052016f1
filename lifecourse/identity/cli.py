"""``lifecourse identity ...``: why records are one customer, and how often that is true."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lifecourse.identity.explain import Explanation

app = typer.Typer(no_args_is_help=True, help="Who is who across the systems, why, and how well.")
console = Console()


@app.command("explain")
def explain(
    customer_id: Annotated[str, typer.Argument(metavar="CUSTOMER", help="e.g. C000000042; a former id too")],
) -> None:
    """The records of a customer, what links them, and which ids were folded into it or split off."""
    from lifecourse.identity.explain import explain as explained
    from lifecourse.warehouse.connection import Role, warehouse

    with warehouse().connect(Role.TRANSFORMER) as connection:
        found = explained(connection, customer_id)
    print_explanation(console, found)


def print_explanation(console: Console, found: Explanation) -> None:
    """The explanation in words and a table of links."""
    if found.customer_id != found.asked:
        console.print(f"{found.asked} was folded into {found.customer_id}.")
    console.print(f"[bold]{found.customer_id}[/bold] of account {found.account_id or '(none yet)'}")
    console.print(f"records: {', '.join(found.records) or 'none any more'}")
    console.print(f"contacts of the account: {', '.join(found.contacts) or 'none'}")
    for customer, records in found.beside.items():
        console.print(f"beside it in the account: {customer} ({', '.join(records)})")
    links = Table("who", "whom", "level", "rule", "evidence", "strength", "first seen")
    for each in found.links:
        links.add_row(
            each.who,
            each.whom,
            each.level,
            each.rule,
            each.evidence,
            f"{each.strength:.2f}",
            f"{each.first_seen_on}",
        )
    console.print(links)
    for kind, learners, guardians, holders in found.shared:
        console.print(
            f"its {kind} binds nobody: it stands beside {learners} learners and {guardians} guardians "
            f"in {holders} records"
        )
    for event in found.events:
        word = "was folded into" if event.event == "merge" else "lost a record to"
        console.print(
            f"{event.happened_on}: {event.level} {event.from_id} {word} {event.into_id} ({event.rule})"
        )


@app.command("truth")
def truth() -> None:
    """Precision and recall of accounts and learners against the simulator's truth, by kind of fault."""
    from lifecourse.identity.truth import scores
    from lifecourse.settings import settings
    from lifecourse.warehouse.connection import Role, warehouse

    with warehouse().connect(Role.TRANSFORMER) as connection:
        found = scores(connection, settings().home / "simulator")
    table = Table("level", "fault", "records", "true pairs", "joined", "rightly", "precision", "recall")
    for each in found:
        table.add_row(
            each.level, each.kind, f"{each.records}", f"{each.true}", f"{each.joined}", f"{each.right}",
            f"{each.precision:.4f}", f"{each.recall:.4f}",
        )  # fmt: skip
    console.print(table)
