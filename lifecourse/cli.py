"""``lifecourse``: the command line behind everything in ``scripts/``."""

from __future__ import annotations

import importlib
import os
import sys

# No tool of the stack may phone home; set before any of them is imported.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("SCARF_ANALYTICS", "false")

import typer
from rich.console import Console

from lifecourse.errors import LifecourseError

HELP = """A data warehouse of customer lifecycles for education and training institutions.

The path of a row: `load` pulls it from a source system, checks it and merges it into raw; `build` turns raw
into an audited candidate and publishes it to marts; `warehouse` is the Postgres it all lives in; `airflow`
runs it every night. `explain` says why a customer stands where, `rules` who would stand elsewhere under
other rules; `identity` says why records are one customer. `actions` lists what is to be done today, `report`
writes a learner's weekly page. `privacy` erases and retains, `contact` leads from a list to a phone number, `subject`
gives a person's own copy. `simulate` makes an institution to try it on. Settings are
environment variables LIFECOURSE_<NAME>; see docs/running.md.
"""

app = typer.Typer(name="lifecourse", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)

#: Command group -> module whose `app` it is.
GROUPS = {
    "warehouse": "lifecourse.warehouse.cli",
    "load": "lifecourse.loading.cli",
    "build": "lifecourse.building.cli",
    "identity": "lifecourse.identity.cli",
    "rules": "lifecourse.lifecycle.cli",
    "report": "lifecourse.reports.cli",
    "privacy": "lifecourse.privacy.cli",
    "contact": "lifecourse.privacy.contact_cli",
    "subject": "lifecourse.privacy.subject_cli",
    "actions": "lifecourse.actions.cli",
    "airflow": "lifecourse.orchestration.cli",
    "models": "lifecourse.customer_base.cli",
    "simulate": "lifecourse.simulator.cli",
}
for _name, _module in GROUPS.items():
    app.add_typer(importlib.import_module(_module).app, name=_name)

#: Single command -> module and function.
COMMANDS = {
    "demo": ("lifecourse.orchestration.demo", "demo"),
    "explain": ("lifecourse.lifecycle.explain", "explain"),
    "spans": ("lifecourse.histories", "spans"),
    "books": ("lifecourse.books", "books"),
    "doctor": ("lifecourse.doctor", "doctor"),
}
for _name, (_module, _function) in COMMANDS.items():
    app.command(_name)(getattr(importlib.import_module(_module), _function))


def main() -> None:
    """Runs the command line; an error with a remedy is printed in one paragraph, without a traceback."""
    try:
        app()
    except LifecourseError as error:
        console = Console(stderr=True, highlight=False)
        where = f"{error.where}: " if error.where else ""
        console.print(f"[bold red]Error[/] {where}{error.what}", soft_wrap=True)
        if error.do:
            console.print(f"[bold]What to do[/] {error.do}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
