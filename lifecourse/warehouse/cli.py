"""``lifecourse warehouse ...``: the Postgres that everything lives in."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lifecourse.errors import LifecourseError
from lifecourse.warehouse import branch_cli
from lifecourse.warehouse.roles import DATABASES, WAREHOUSE, Role

app = typer.Typer(
    no_args_is_help=True,
    help="The Postgres that everything lives in: start, stop, connect, migrate, roll back.",
)
app.add_typer(branch_cli.app, name="branch")
console = Console(highlight=False)

AnyRole = Annotated[Role, typer.Option(help="Whom to log in as.")]
AnyDatabase = Annotated[
    str, typer.Option(help=f"Which database: {', '.join(DATABASES)}.", show_default=f"{WAREHOUSE}")
]


@app.command()
def start() -> None:
    """Start the embedded server unless it runs, and set the warehouse up if it is not.

    It goes on running when this command ends; `stop` ends it. With LIFECOURSE_WAREHOUSE_URL nothing is started.
    """
    from lifecourse.settings import settings
    from lifecourse.warehouse.embedded import EmbeddedPostgres
    from lifecourse.warehouse.setup import set_up

    if settings().warehouse_url:
        console.print("LIFECOURSE_WAREHOUSE_URL names a server that runs by itself; nothing to start.")
    else:
        with console.status("starting PostgreSQL"):
            EmbeddedPostgres().start()
    with console.status("setting the warehouse up"):
        warehouse = set_up()
    console.print(f"The warehouse is ready at {warehouse.host}:{warehouse.port}.")
    console.print("`lifecourse warehouse psql --role analyst` opens it.", style="dim")


@app.command()
def stop() -> None:
    """Stop the embedded server; sessions end, and what they had not committed is rolled back."""
    from lifecourse.warehouse.embedded import EmbeddedPostgres

    stopped = EmbeddedPostgres().stop()
    console.print("The server has stopped." if stopped else "The server does not run.")


@app.command()
def status() -> None:
    """Say where the server is, and what is published. Exit code 1 when it does not run."""
    from lifecourse.settings import settings
    from lifecourse.warehouse.connection import warehouse
    from lifecourse.warehouse.embedded import EmbeddedPostgres

    if not settings().warehouse_url:
        server = EmbeddedPostgres().status()
        if not server.running:
            console.print("The server does not run; `lifecourse warehouse start` starts it.")
            raise typer.Exit(1)
        console.print(f"PostgreSQL {server.version} runs on port {server.port} (process {server.pid}).")
        console.print(f"Data: {server.data}\nLog:  {server.log}", soft_wrap=True)
    here = warehouse()
    with here.connect(Role.PUBLISHER) as connection:
        version = connection.execute("show server_version").fetchone()
        shown = connection.execute(
            "select build_id, as_of, published_at from marts.publication where is_current"
        ).fetchone()
    if settings().warehouse_url:
        console.print(f"PostgreSQL {version[0] if version else ''} at {here.host}:{here.port}.")
    if shown:
        console.print(f"Published: build {shown[0]} as of {shown[1]}, at {shown[2]:%Y-%m-%d %H:%M:%S %z}.")
    else:
        console.print("Nothing is published yet.")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="File to write", dir_okay=False)]) -> None:
    """Write the warehouse's database into a file. It holds the vault: keep it where nobody else reads."""
    from lifecourse.warehouse.backup import backup as write
    from lifecourse.warehouse.connection import warehouse

    write(warehouse(), file)
    console.print(
        f"{file} holds the warehouse. Back up {'<home>/secrets.json'} and {'<home>/privacy'} as well, elsewhere:"
        " without the keys no value is known again, without the ledger the erased would come back.",
        soft_wrap=True,
    )


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File of `backup`", exists=True, dir_okay=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
) -> None:
    """Put a backup in the place of the warehouse's database, and erase again whom the ledger names."""
    from lifecourse.warehouse.backup import restore as put_back
    from lifecourse.warehouse.connection import warehouse

    here = warehouse()
    if not yes:
        typer.confirm(f"Everything in database {here.name_of()} is replaced. Go on?", abort=True)
    again = put_back(here, file)
    console.print(f"Restored; {again} people who had been erased were erased again.")


@app.command()
def setup() -> None:
    """Make or mend databases, roles, passwords, schemas and rights, and run the migrations. Safe to run again."""
    from lifecourse.warehouse.setup import set_up

    with console.status("setting the warehouse up"):
        warehouse = set_up()
    console.print(f"The warehouse at {warehouse.host}:{warehouse.port} is set up.")


@app.command()
def migrate() -> None:
    """Bring an existing warehouse to this version's tables. Each migration runs whole or not at all."""
    from lifecourse.warehouse import migrations
    from lifecourse.warehouse.connection import warehouse
    from lifecourse.warehouse.setup import set_up

    waiting = migrations.pending(warehouse())
    # Rights follow the tables, so the whole set-up runs.
    set_up(databases=[WAREHOUSE])
    for migration in waiting:
        console.print(f"ran {migration.path.name}")
    if not waiting:
        console.print("Nothing to migrate.")


@app.command()
def url(
    role: AnyRole = Role.BI_READER,
    database: AnyDatabase = WAREHOUSE,
    driver: Annotated[
        str, typer.Option(help="Begin of the URL, such as postgresql+psycopg2 for SQLAlchemy.")
    ] = "postgresql",
    hide_password: Annotated[bool, typer.Option("--hide-password", help="Print stars for it.")] = False,
) -> None:
    """Print the URL to connect with, password included: for a BI tool or a client."""
    from lifecourse.warehouse.connection import warehouse

    here = warehouse()
    # Not by the console, which would break a long line.
    print(here.masked_url(role, database, driver) if hide_password else here.url(role, database, driver))


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    role: AnyRole = Role.ANALYST,
    database: AnyDatabase = WAREHOUSE,
    show: Annotated[bool, typer.Option("--show", help="Only print the command, password included.")] = False,
) -> None:
    """Open psql; further options are psql's own, as in `psql --role analyst -c 'select ...'`.

    The password goes through the environment: it is in no list of processes.
    """
    from lifecourse.settings import settings
    from lifecourse.warehouse.connection import warehouse
    from lifecourse.warehouse.embedded import EmbeddedPostgres

    here = warehouse()
    # The wheel's own is as new as its server; for another server, the machine's own may be newer.
    installed = shutil.which("psql") if settings().warehouse_url else None
    program = installed or str(EmbeddedPostgres().binaries / "psql")
    arguments = [
        program,
        f"--host={here.host}",
        f"--port={here.port}",
        f"--username={here.login(role)}",
        f"--dbname={here.name_of(database)}",
        *context.args,
    ]
    variables = {
        "PGPASSWORD": here.password(role),
        **{f"PG{name.upper()}": value for name, value in here.parameters.items()},
    }
    if show:
        print(
            " ".join(
                [
                    *(f"{name}={shlex.quote(value)}" for name, value in variables.items()),
                    shlex.join(arguments),
                ]
            )
        )
        return
    os.execve(program, arguments, {**os.environ, **variables})


@app.command()
def publications(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 10,
) -> None:
    """List what was published, the newest first."""
    from lifecourse.warehouse.connection import warehouse

    with warehouse().connect(Role.PUBLISHER) as connection:
        found = connection.execute(
            "select m.publication_id, m.build_id, m.as_of, m.published_at, m.kind, p.rows,"
            " (select sum(value::bigint) from jsonb_each_text(m.rows_written)), p.is_current, p.rolled_back_at"
            " from meta.publication as m join marts.publication as p using (publication_id)"
            " order by m.publication_id desc limit %s",
            (limit,),
        ).fetchall()
    table = Table("no.", "build", "as of", "published", "kind", "rows", "written", "", box=None)
    for number, build_id, as_of, published_at, kind, rows, written, is_current, rolled_back_at in found:
        state = "current" if is_current else ("rolled back" if rolled_back_at else "")
        table.add_row(
            str(number),
            build_id,
            str(as_of),
            f"{published_at:%Y-%m-%d %H:%M}",
            kind,
            f"{rows:,}",
            f"{written or 0:,}",
            state,
        )
    console.print(table if found else "Nothing is published yet.")


@app.command()
def rollback(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Put back what readers saw before the current publication. One step; the next build is published whole."""
    from lifecourse.warehouse import publish
    from lifecourse.warehouse.connection import warehouse

    here = warehouse()
    if not yes:
        typer.confirm("Readers will see the publication before the current one. Go on?", abort=True)
    back = publish.rollback(here)
    console.print(f"Readers see build {back.build_id} as of {back.as_of} again.")


@app.command()
def compare() -> None:
    """Compare all of marts with the build in core, row by row. Exit code 1 when they differ.

    After a publication and before the next build they are equal. Reads both whole.
    """
    from lifecourse.warehouse import publish
    from lifecourse.warehouse.connection import warehouse

    here = warehouse()
    tables = publish.published_tables(here)
    if not tables:
        raise LifecourseError(
            "nothing is published", here.name_of(), "`lifecourse build run DAY` builds and publishes"
        )
    different = publish.differences(here, tables)
    for name, rows in different.items():
        console.print(f"{name}: {'other columns' if rows < 0 else f'{rows:,} rows differ'}")
    if different:
        raise typer.Exit(1)
    console.print(f"{len(tables)} tables are equal.")
