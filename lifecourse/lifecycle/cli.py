"""``lifecourse rules ...``: the rules that hold, and what other rules would change."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lifecourse.lifecycle.explain import STAGES, listing, terminal

app = typer.Typer(
    no_args_is_help=True,
    help="The rules of the lifecycle: which numbers hold, and who would stand elsewhere under others.",
)

A_SET = "published, seed (the file as it stands), or a CSV file of numbers: campus_id, rule, value"


@app.command("show")
def show(
    campus: Annotated[
        str | None, typer.Option(help="The numbers that hold at this campus", metavar="CAMPUS")
    ] = None,
    rules: Annotated[str, typer.Option(help=A_SET, metavar="RULES")] = "published",
) -> None:
    """Print the rules that hold, campuses with numbers of their own, and the version that rows carry."""
    from lifecourse.errors import LifecourseError
    from lifecourse.lifecycle.whatif import campuses, rule_set
    from lifecourse.warehouse.connection import Role, warehouse

    target = warehouse()
    found = rule_set(rules, target)
    if campus is not None:
        with target.connect(Role.TRANSFORMER) as connection:
            known = campuses(connection)
        if campus not in known:
            raise LifecourseError(
                "no published campus has this id",
                f"campus {campus}",
                f"campuses are {', '.join(sorted(known)) or 'none'}",
            )
    console = terminal()
    where = f"at campus {campus}" if campus is not None else "where a campus has no number of its own"
    console.print(f"Rules {found.name}, {where}: version {found.version_at(campus or '')}", markup=False)
    if campus is not None:
        default = found.at()
        rows = [
            (rule, f"{value:f}", f"{default[rule]:f}" if value != default[rule] else "")
            for rule, value in found.at(campus).items()
        ]
        listing(console, "", ("rule", "value", "elsewhere"), rows)
        return
    listing(console, "", ("rule", "value"), [(rule, f"{value:f}") for rule, value in found.at().items()])
    own = [
        (each, rule, f"{value:f}", found.version_at(each))
        for (each, rule), value in found.numbers.items()
        if each
    ]
    listing(console, "Campuses with numbers of their own", ("campus", "rule", "value", "version"), own)


@app.command("compare")
def compare(
    a: Annotated[str, typer.Argument(help=A_SET, metavar="A")],
    b: Annotated[str, typer.Argument(help="The same for the other side", metavar="B")],
    show_customers: Annotated[
        int, typer.Option("--list", help="How many of the customers who stand elsewhere to print", min=0)
    ] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Write all of them to this CSV file", metavar="FILE")
    ] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep schemas rules_a and rules_b, for analysts, until the next comparison"
        ),
    ] = False,
) -> None:
    """Say who would stand elsewhere under other rules, and how many, as of the published day.

    The lifecycle is built beside marts, from the published facts, under each set that differs from the published
    rules. A file holds only the numbers that differ: `,grace_days,14` for all campuses, `P1,grace_days,14` for one.
    Marts, core and tonight's build are left alone.
    """
    from lifecourse.lifecycle import whatif
    from lifecourse.warehouse.connection import warehouse

    target = warehouse()
    sets = [whatif.rule_set(name, target) for name in (a, b)]
    aside = Console(stderr=True, highlight=False)
    found = whatif.compare(sets[0], sets[1], target, keep, lambda text: aside.print(text, style="dim"))
    report(terminal(), found, show_customers)
    if out is not None:
        whatif.write_movers(found, out)
        terminal().print(f"All {len(found.movers)} are in {out}.", markup=False, soft_wrap=True)
    if keep:
        terminal().print("Kept: schemas rules_a and rules_b, until the next comparison.", markup=False)


def report(console: Console, found: object, show_customers: int) -> None:
    """Print a comparison."""
    from lifecourse.lifecycle.whatif import SIDES, Comparison

    assert isinstance(found, Comparison)

    def say(text: str = "") -> None:
        console.print(text, markup=False, soft_wrap=True)

    said = {side: "built beside marts" if side in found.built else "as published" for side in SIDES}
    say(f"As of {found.as_of} (build {found.build_id}), {found.customers} customers.")
    say(f"A: {found.a.name}, {said[SIDES[0]]}, version {found.a.version_at()}")
    say(f"B: {found.b.name}, {said[SIDES[1]]}, version {found.b.version_at()}")
    if found.rebuilt_because:
        say(f"The published rules were built again: {found.rebuilt_because}.")
    say()
    where = sorted({"", *found.a.campuses, *found.b.campuses})
    numbers = [
        (campus or "all others", rule, f"{value:f}", f"{found.b.at(campus)[rule]:f}")
        for campus in where
        for rule, value in found.a.at(campus).items()
        if value != found.b.at(campus)[rule]
        # What a campus has from all others is said there.
        and (not campus or {(campus, rule)} & {*found.a.numbers, *found.b.numbers})
    ]
    listing(console, "Rules that differ", ("campus", "rule", "A", "B"), numbers)

    stages = [each for each in STAGES if any(each in pair for pair in found.matrix)]
    before, after = found.stage_counts(0), found.stage_counts(1)
    counts = [
        (each, before.get(each, 0), after.get(each, 0), f"{after.get(each, 0) - before.get(each, 0):+d}")
        for each in stages
    ]
    listing(console, "Customers by stage", ("stage", "A", "B", "B - A"), counts)
    matrix = [
        (of, *(found.matrix.get((of, to), "") or "." for to in stages)) for of in stages if before.get(of)
    ]
    listing(console, "From the stage under A (rows) to the stage under B", ("A \\ B", *stages), matrix)
    listing(
        console,
        "Signals",
        ("signal", "stretches A", "stretches B", "open A", "open B"),
        [(code, *figures) for code, figures in found.signals.items()],
    )
    say(
        f"{len(found.movers)} customers ({_share(len(found.movers), found.customers)}) stand elsewhere on "
        f"{found.as_of}; {found.ever_differing} did on some day."
    )
    say(
        f"{found.differing_days} of {found.all_days} customer days "
        f"({_share(found.differing_days, found.all_days)}) differ."
    )
    shown = [
        (each.customer_id, each.campus_id or "", each.stage_a, each.stage_b, each.first_differs_on)
        for each in found.movers[:show_customers]
    ]
    if shown:
        say()
        title = f"Who ({len(shown)} of {len(found.movers)})"
        listing(console, title, ("customer", "campus", "stage A", "stage B", "first differs on"), shown)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "0 %"
