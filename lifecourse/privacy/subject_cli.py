"""``lifecourse subject ...``: what a person may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="What a person may ask for: their own copy.")
console = Console(highlight=False)


@app.callback()
def group() -> None:
    """What a person may ask for: their own copy."""


@app.command()
def export(
    customer: Annotated[str, typer.Argument(help="Customer id, e.g. C000000042", metavar="CUSTOMER")],
    out: Annotated[
        Path, typer.Option(help="Folder; the copy is written into a folder of its own in it")
    ] = Path("exports"),
) -> None:
    """Write everything held about one person, as a page and as JSON. In plain text: for that person alone."""
    from lifecourse.privacy.export import export as write

    for path in write(customer, out):
        console.print(str(path), soft_wrap=True)
