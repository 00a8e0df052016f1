"""``lifecourse demo``: two nights of an institution under a real scheduler, and what came of them."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lifecourse.errors import LifecourseError
from lifecourse.orchestration.client import Client, Run, Task
from lifecourse.orchestration.processes import Airflow, running_airflow
from lifecourse.orchestration.stage import Stage
from lifecourse.settings import PROJECT, settings
from lifecourse.warehouse.connection import Warehouse

PULLS = ("pull_signup", "pull_teaching", "pull_payments")
#: What a demo writes on its database, so that no other warehouse is ever emptied for one.
MARK = "lifecourse demo: emptied by the next one"

#: Days before the first night whose bills are there; each is a batch of its own.
BILL_DAYS = 7

console = Console(highlight=False)
log = logging.getLogger(__name__)


class Actor(Protocol):
    """An institution as a demo needs it."""

    name: str
    #: The business days of the two nights.
    nights: tuple[date, date]
    #: Longest time for one night, in seconds.
    patience: float

    def stage(self) -> Stage:
        """Its environment and the processes that serve its sources."""
        ...

    def live(self, at: Warehouse, say: Callable[[str], None]) -> str:
        """Fills its systems up to the end of the first night's day; what there is now."""
        ...

    def go_on(self, at: Warehouse, say: Callable[[str], None]) -> str:
        """Lives on to the end of the second night's day; what has changed."""
        ...


@dataclass
class Simulated:
    """The make-believe institution: two databases, an HTTP API and bill files."""

    customers: int
    name: str = "simulated"
    nights: tuple[date, date] = (date(2026, 3, 1), date(2026, 3, 2))
    patience: float = 1800

    def stage(self) -> Stage:
        from lifecourse.orchestration.home import free_port

        port = free_port("127.0.0.1", 8791)
        return Stage(
            self.name,
            {
                "LIFECOURSE_AIRFLOW_CLOCK": "false",
                "LIFECOURSE_TIMEZONE": "Asia/Shanghai",
                "LIFECOURSE_SOURCES_DIR": str(PROJECT / "sources"),
                "LIFECOURSE_PAYMENTS_URL": f"http://127.0.0.1:{port}",
            },
            {
                "payments-api": [
                    "-c",
                    f"from lifecourse.simulator.payments_api import serve; serve(port={port})",
                ]
            },
        )

    def live(self, at: Warehouse, say: Callable[[str], None]) -> str:
        from lifecourse.simulator.institution import Institution

        institution = Institution(1, self.customers, self.nights[0], settings().faults_file or "default")
        shutil.rmtree(institution.bills_folder, ignore_errors=True)
        made = institution.create(at, lambda done: say(f"three years of life, {done}"))
        say("daily bills of the payment channels")
        bills = institution.write_bills(at, BILL_DAYS)
        return (
            f"{made.total:,} rows in {len(made.rows)} tables of three systems, {len(bills)} bills, "
            f"{made.faults:,} faults planted"
        )

    def go_on(self, at: Warehouse, say: Callable[[str], None]) -> str:
        from lifecourse.simulator.institution import Institution

        institution = Institution.open(at)
        changed = institution.advance(at)
        bills = institution.write_bills(at, BILL_DAYS)
        gone = sum(changed.deleted.values())
        return f"{changed.total:,} rows new or changed, {gone} deleted, {len(bills)} bills, {changed.faults:,} faults"


class InstitutionName(StrEnum):
    """What can be put on stage."""

    SIMULATED = "simulated"
    OULAD = "oulad"


def demo(
    customers: Annotated[
        int, typer.Option(help="Customers of the simulated institution, 1,000 to 1,000,000.")
    ] = 2_000,
    institution: Annotated[
        InstitutionName,
        typer.Option(help="simulated, or oulad: a whole university's learning data, 10.7 million rows."),
    ] = InstitutionName.SIMULATED,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the data set's files (oulad).", file_okay=False, exists=True),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave Airflow running at the end.")] = False,
) -> None:
    """Play two nights of an institution under a real scheduler, and show what came of them.

    Sets the warehouse up, makes three source systems with three years of life and planted faults, starts Airflow,
    and lets it pull, check, build, audit and publish: a first night with everything, a second with what a day
    changed. The warehouse stays for you to query; `scripts/reset` removes all.
    """
    actor: Actor = Simulated(customers)
    if institution is InstitutionName.OULAD:
        from lifecourse.orchestration.oulad import Oulad

        actor = Oulad(data)
    try:
        Demo(actor, keep).run()
    except StepFailed as failed:
        failed.show()
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("[yellow]Stopped by you.[/] Airflow is stopped; `scripts/demo` starts afresh.")
        raise typer.Exit(130) from None


class StepFailed(Exception):
    """A step of the demo did not end well."""

    def __init__(self, step: str, error: BaseException) -> None:
        super().__init__(step)
        self.step, self.error = step, error

    def show(self) -> None:
        """Says which step, where to look and what to do."""
        console.print(f"\n[bold red]Failed[/] {self.step}")
        if isinstance(self.error, LifecourseError):
            console.print(f"[bold]Found[/]   {self.error.what}", soft_wrap=True)
            if self.error.where:
                console.print(f"[bold]Look at[/] {self.error.where}", soft_wrap=True)
            do = self.error.do or "`scripts/doctor` looks at ports, memory, disk and Postgres"
        else:
            file = settings().home / "logs" / "demo.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            with open(file, "a", encoding="utf-8") as output:
                traceback.print_exception(self.error, file=output)
            console.print(f"[bold]Found[/]   {type(self.error).__name__}, which nobody expected")
            console.print(f"[bold]Look at[/] {file}", soft_wrap=True)
            do = "`scripts/doctor` looks at ports, memory, disk and Postgres"
        console.print(
            f"[bold]Do[/]      {do}; then run scripts/demo again, it starts afresh.", soft_wrap=True
        )


@dataclass
class Demo:
    """The play, act by act."""

    actor: Actor
    keep: bool = False
    began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Everything; on the way out what was started is stopped, unless `keep`."""
        from lifecourse.orchestration.showcase import say_where, show

        with self._step("Start the warehouse") as say:
            at = self._open_warehouse(say)
        airflow = self._airflow()
        try:
            with (
                self._step(f"Let the {self.actor.name} institution live, and start Airflow") as say,
                ThreadPoolExecutor(1) as beside,
            ):
                # Airflow takes as long to start as three years of life: side by side.
                starting = beside.submit(self._start, airflow)
                there_is = self.actor.live(at, say)
                say("waiting for Airflow")
                starting.result()
            console.print(f"  {there_is}", style="dim")
            self._night(airflow, 1)
            with self._step(f"Live on to the end of {self.actor.nights[1]}") as say:
                changed = self.actor.go_on(at, say)
            console.print(f"  {changed}", style="dim")
            self._night(airflow, 2)
            with self._step("Look at what came of it"):
                show(console, at, self.actor.name, self.actor.nights)
            if self.actor.name == "simulated":
                self._erase_somebody(at)
            console.print()
            say_where(console, at)
            self._say_goodbye(airflow)
        except BaseException:
            airflow.stop()
            raise
        if not self.keep:
            airflow.stop()

    # Acts ---------------------------------------------------------------------------------------------

    def _open_warehouse(self, say: Callable[[str], None]) -> Warehouse:
        from lifecourse.orchestration.cli import start_warehouse
        from lifecourse.warehouse.connection import warehouse
        from lifecourse.warehouse.setup import drop_databases, set_up

        if running_airflow():
            raise LifecourseError("Airflow runs already", do="stop it with `scripts/lifecourse airflow stop`")
        stage = self.actor.stage()
        stage.enter()
        start_warehouse()
        at = warehouse()
        say("looking whether it is ours to empty")
        _refuse_unless_ours(at)
        drop_databases(at)
        say("databases, roles, schemas")
        set_up(at)
        _mark(at)
        stage.save()
        self._companions = stage.companions
        return at

    def _airflow(self) -> Airflow:
        from lifecourse.orchestration.home import prepare

        return Airflow(prepare(), companions=self._companions)

    def _start(self, airflow: Airflow) -> None:
        from lifecourse.orchestration.cli import DAGS

        airflow.migrate()
        airflow.start()
        airflow.wait_ready(len(DAGS), timeout=300)

    def _night(self, airflow: Airflow, number: int) -> None:
        day = self.actor.nights[number - 1]
        yesterday = day - timedelta(days=1)
        title = f"Night {number}: business day {day}"
        with self._step(title, quiet=True), Client(airflow.home) as client, _Watch(airflow) as watch:
            known = frozenset(run.run_id for run in client.runs("build_marts"))
            # The bills of the day before came in the morning, so they are there before the night begins: the
            # build does not wait for bills, and would else reconcile what happened to be read by then.
            bills = ("pull_bills", client.trigger("pull_bills", yesterday.isoformat()))
            client.wait_for([bills], self.actor.patience, watch.check, watch.show)
            pulls = [(dag, client.trigger(dag, day.isoformat())) for dag in PULLS]
            client.wait_for(pulls, self.actor.patience, watch.check, watch.show)
            # Nobody starts the build: the scheduler does, when all three have delivered this day.
            build = client.wait_for_run_of("build_marts", day.isoformat(), 120, known, watch.check)
            client.wait_for([(build.dag, build.run_id)], self.actor.patience, watch.check, watch.show)

    def _erase_somebody(self, at: Warehouse) -> None:
        """Last of all: what was shown until here is what the nights have brought."""
        from lifecourse.privacy.show import show

        with self._step("Honour a request to be erased", quiet=True):
            show(console, at)

    def _say_goodbye(self, airflow: Airflow) -> None:
        from lifecourse.orchestration.cli import print_address

        console.print()
        if self.keep:
            print_address(airflow)
            console.print("          `scripts/lifecourse airflow stop` stops it.", style="dim")
        else:
            console.print(
                "Airflow   stops now; `scripts/airflow` starts it again and prints its address and login, "
                "with these nights in its grid.",
                soft_wrap=True,
            )
        console.print("All gone  `scripts/reset` removes the warehouse and everything this made.")
        console.print(f"\nDone in {_clock(time.monotonic() - self.began)}.", style="bold green")

    @contextmanager
    def _step(self, title: str, quiet: bool = False) -> Iterator[Callable[[str], None]]:
        """Shows a step while it runs and how long it took; an error comes out as `StepFailed`."""
        began = time.monotonic()
        try:
            if quiet or not console.is_terminal:
                console.print(f"[bold]•[/] {title}")
                yield lambda _: None
            else:
                with console.status(f"{title} ...") as status:
                    yield lambda what: status.update(f"{title}: {what}")
        except (KeyboardInterrupt, StepFailed):
            raise
        except BaseException as error:
            raise StepFailed(title, error) from error
        console.print(f"[green]✓[/] {title}  [dim]{_clock(time.monotonic() - began)}[/]")


class _Watch:
    """Shows the runs of a night as bars, or line by line where there is no terminal."""

    def __init__(self, airflow: Airflow) -> None:
        self.airflow = airflow
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:14}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[what]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bars: dict[str, TaskID] = {}
        self._said: set[tuple[str, str, str | None, int]] = set()

    def __enter__(self) -> _Watch:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def check(self) -> None:
        """Starts again what has died; raises if it dies again and again."""
        self.airflow.keep_running()

    def show(self, run: Run, tasks: list[Task]) -> None:
        """The state of a run."""
        done = [task for task in tasks if task.state in ("success", "skipped")]
        at_work = next((task for task in tasks if task.state in ("running", "up_for_retry", "failed")), None)
        what = f"{at_work.name} {at_work.state.replace('_', ' ')}" if at_work and at_work.state else run.state
        if run.dag not in self._bars:
            self._bars[run.dag] = self._progress.add_task(run.dag, total=len(tasks) or None, what=what)
        self._progress.update(self._bars[run.dag], total=len(tasks) or None, completed=len(done), what=what)
        if run.state == "success":
            self._progress.stop_task(self._bars[run.dag])
        for task in tasks:
            said = (run.run_id, task.name, task.state, task.try_number)
            if said in self._said:
                continue
            self._said.add(said)
            if task.state == "success" and not console.is_terminal:
                console.print(f"  {run.dag}.{task.name} {task.seconds or 0:.1f} s")
            elif task.state == "up_for_retry":
                console.print(
                    f"  [yellow]{run.dag}.{task.name} stumbled and will be tried again[/]; its log: "
                    f"{self.airflow.home.logs}/dag_id={run.dag}/run_id={run.run_id}/task_id={task.name}",
                    soft_wrap=True,
                )


# Whose warehouse it is -----------------------------------------------------------------------------------


def _refuse_unless_ours(at: Warehouse) -> None:
    """A demo empties only what a demo has made, or what is empty."""
    with at.connect_maintenance() as connection:
        row = connection.execute(
            "select shobj_description(oid, 'pg_database') from pg_database where datname = %s",
            (at.name_of(),),
        ).fetchone()
    if row is None or row[0] == MARK:
        return
    with at.connect("admin") as connection:
        has_tables = connection.execute("select to_regclass('meta.batch') is not null").fetchone()
        if has_tables == (False,):
            return
        has_rows = connection.execute("select exists (select from meta.batch)").fetchone()
    if has_rows == (True,):
        raise LifecourseError(
            "this warehouse holds rows that no demo has loaded; a demo begins with an empty one",
            f"{at.host}:{at.port}, database {at.name_of()}",
            "play in another folder: LIFECOURSE_HOME=/tmp/lifecourse-demo scripts/demo",
        )


def _mark(at: Warehouse) -> None:
    from psycopg import sql

    with at.connect_maintenance() as connection:
        connection.execute(
            sql.SQL("comment on database {} is {}").format(sql.Identifier(at.name_of()), sql.Literal(MARK))
        )


def _clock(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60:02} s"


if __name__ == "__main__":
    os.environ.setdefault("DO_NOT_TRACK", "1")
    typer.run(demo)
    sys.exit()
