"""``scripts/reset``: stop everything we started, and remove what it left.

Only what Lifecourse made in its home folder is removed; anything else in there stays.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.warehouse.connection import warehouse
from lifecourse.warehouse.embedded import EmbeddedPostgres
from lifecourse.warehouse.setup import drop_databases

#: What Lifecourse makes in its home folder.
OURS = (
    "airflow",
    "data_docs",
    "dbt",
    "demo.json",
    "histories",
    "logs",
    "pgdata",
    "secrets.json",
    "secrets.lock",
    "secrets.new",
    "simulator",
    "warehouse.json",
    "warehouse.lock",
    "warehouse.new",
)


def reset(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    databases: Annotated[
        bool,
        typer.Option(
            "--databases", help="With LIFECOURSE_WAREHOUSE_URL: also drop our databases on that server."
        ),
    ] = False,
) -> None:
    """Stop Airflow and the embedded server, and remove databases, secrets, logs and Data Docs.

    Everything that was loaded, built and published is gone after that.
    """
    console = Console(highlight=False)
    home = settings().home
    if databases and not settings().warehouse_url:
        raise LifecourseError(
            "--databases is for a server of your own", do="leave it out: the embedded one goes anyway"
        )
    if not yes:
        also = " and our databases on the server of LIFECOURSE_WAREHOUSE_URL" if databases else ""
        typer.confirm(f"Remove everything in {home}{also}?", abort=True)
    _stop_airflow(console)
    if databases:
        drop_databases(warehouse())
        console.print("The databases are dropped; roles are left.")
    EmbeddedPostgres().remove()
    kept = _remove(home)
    if kept:
        console.print(
            f"Not ours, and still there: {', '.join(path.name for path in kept)} in {home}", soft_wrap=True
        )
    console.print(f"Removed what was in {home}.", soft_wrap=True)


def _stop_airflow(console: Console) -> None:
    from lifecourse.orchestration.processes import running_airflow

    if airflow := running_airflow():
        with console.status("stopping Airflow"):
            airflow.stop()


def _remove(home: Path) -> list[Path]:
    """Remove what is ours; return what is not."""
    if not home.exists():
        return []
    for name in OURS:
        path = home / name
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except PermissionError:
            raise LifecourseError(
                "may not be removed by this user", str(path), "run scripts/reset as the user who made it"
            ) from None
    kept = sorted(home.iterdir())
    if not kept:
        home.rmdir()
    return kept


if __name__ == "__main__":
    try:
        typer.run(reset)
    except LifecourseError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
