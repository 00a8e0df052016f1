"""What sqlfluff takes for dbt's adapter: macros are dispatched to something that reads like their SQL."""

from __future__ import annotations

from collections.abc import Callable


def dispatch(name: str, package: str | None = None) -> Callable[..., str]:
    """A stand-in for the dispatched macro: a query for `days`, else an expression over the arguments."""
    if name == "days":
        return lambda *arguments: "select cast('2026-03-01' as date) as day_on"
    return lambda *arguments: f"{name}({', '.join(str(argument) for argument in arguments)})"


def get_relation(**names: str) -> str:
    """A relation of the build before."""
    return f"core.{names['identifier']}"
