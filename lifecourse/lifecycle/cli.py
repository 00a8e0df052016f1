"""``lifecourse rules ...``: the rules that hold, and what other rules would change."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, help="The rules of the lifecycle: which hold, and what others would change."
)
