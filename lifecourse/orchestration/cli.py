"""``lifecourse airflow ...``: run the scheduler on this machine, or one component of it on a server."""

from __future__ import annotations

import signal
import threading
from datetime import date
from typing import Annotated

import typer
from rich.console import Console

from lifecourse.errors import LifecourseError

app = typer.Typer(no_args_is_help=True, help="Run the scheduler: start, stop, trigger a business day.")
console = Console()

#: DAG files in ``dags/``; ready means that all of them have been read.
DAGS = (
    "pull_signup",
    "pull_teaching",
    "pull_payments",
    "pull_bills",
    "build_marts",
    "train_models",
    "honour_erasure_requests",
    "watch_freshness",
)


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(help="Port of the web page; by default the one of the settings.")
    ] = None,
) -> None:
    """Start the warehouse and Airflow, print the address and the login, and stay until Ctrl-C.

    A component that dies is started again. Logs are in <home>/logs/airflow.
    """
    from lifecourse.orchestration.home import prepare
    from lifecourse.orchestration.processes import Airflow, running_airflow
    from lifecourse.warehouse.setup import set_up

    if running_airflow():
        raise LifecourseError(
            "Airflow runs already", do="`lifecourse airflow status` tells where; or stop it first"
        )
    with console.status("starting the warehouse"):
        start_warehouse()
        set_up()
    companions = _companions()
    airflow = Airflow(prepare(port), companions=companions)
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: asked_to_stop.set())
    try:
        with console.status("preparing Airflow") as status:
            airflow.migrate()
            airflow.start()
            airflow.wait_ready(
                len(DAGS),
                progress=lambda what: status.update(f"waiting for {what}"),
                stop=asked_to_stop.is_set,
            )
        if not asked_to_stop.is_set():
            print_address(airflow)
            console.print("Ctrl-C stops it; the warehouse keeps running.", style="dim")
        while not asked_to_stop.wait(2):
            airflow.keep_running()
    finally:
        with console.status("stopping Airflow (running tasks get 20 s to end)"):
            airflow.stop()
    console.print("Airflow has stopped.")


@app.command()
def start(
    port: Annotated[
        int | None, typer.Option(help="Port of the web page; by default the one of the settings.")
    ] = None,
) -> None:
    """Start Airflow in the background; `lifecourse airflow stop` ends it."""
    from lifecourse.orchestration.home import prepare
    from lifecourse.orchestration.processes import Airflow, running_airflow

    if running := running_airflow():
        print_address(running)
        return
    start_warehouse()
    companions = _companions()
    airflow = Airflow(prepare(port), companions=companions)
    with console.status("preparing Airflow") as status:
        airflow.migrate()
        airflow.start()
        airflow.wait_ready(len(DAGS), progress=lambda what: status.update(f"waiting for {what}"))
    print_address(airflow)


@app.command()
def stop() -> None:
    """Stop Airflow; running tasks get 20 seconds to end and are done again after the next start."""
    from lifecourse.orchestration.processes import running_airflow

    if airflow := running_airflow():
        airflow.stop()
        console.print("Airflow has stopped.")
    else:
        console.print("Airflow does not run.")


@app.command()
def status() -> None:
    """Say whether Airflow runs, where, and which of its components are up."""
    from lifecourse.orchestration.processes import running_airflow

    airflow = running_airflow()
    if airflow is None:
        console.print("Airflow does not run; `scripts/airflow` starts it.")
        raise typer.Exit(1)
    print_address(airflow)
    running = airflow.running()
    for component in airflow.components:
        console.print(
            f"{component:14} {'pid ' + str(running[component]) if component in running else 'stopped'}"
        )


@app.command()
def trigger(
    dag: Annotated[str, typer.Argument(help="Which DAG, e.g. pull_teaching or build_marts.")],
    day: Annotated[
        str, typer.Argument(help="The business day, e.g. 2026-03-01; it becomes the partition key.")
    ],
    wait: Annotated[bool, typer.Option(help="Wait until the run has ended.")] = True,
    timeout: Annotated[float, typer.Option(help="Longest time to wait, in seconds.")] = 3600,
) -> None:
    """Start a run for a business day, and wait for it.

    For build_marts a day before the last published one is built in the schema asof_<day> and not published.
    """
    from lifecourse.orchestration.client import Client
    from lifecourse.orchestration.processes import running_airflow

    try:
        business_day = date.fromisoformat(day).isoformat()
    except ValueError:
        raise LifecourseError(f"{day!r} is no business day", do="write it as 2026-03-01") from None
    if dag not in DAGS:
        raise LifecourseError(f"there is no DAG {dag!r}", do=f"one of: {', '.join(DAGS)}")
    airflow = running_airflow()
    if airflow is None:
        raise LifecourseError("Airflow does not run", do="start it with `scripts/airflow`")
    with Client(airflow.home) as client:
        run_id = client.trigger(dag, business_day)
        console.print(f"{dag} for {business_day}: {airflow.home.url}/dags/{dag}/runs/{run_id}")
        if wait:
            with console.status("running") as shown:
                client.wait_for(
                    [(dag, run_id)],
                    timeout,
                    check=airflow.check,
                    progress=lambda run, tasks: shown.update(
                        f"{run.state}: "
                        + ", ".join(f"{task.name} {task.state}" for task in tasks if task.state is not None)
                    ),
                )
            console.print("done")


@app.command()
def migrate() -> None:
    """Set up the warehouse and Airflow's own tables; changes nothing the second time. A server runs it first."""
    from lifecourse.orchestration.home import prepare
    from lifecourse.orchestration.processes import Airflow
    from lifecourse.warehouse.setup import set_up

    set_up()
    Airflow(prepare()).migrate()
    console.print("The warehouse and Airflow's tables are up to date.")


@app.command()
def login() -> None:
    """Print the name and the password for the web page."""
    from lifecourse.orchestration.home import LOGIN
    from lifecourse.secrets import secret

    console.print(f"{LOGIN}   {secret('airflow_login')}", highlight=False)


@app.command()
def ready() -> None:
    """Say whether Airflow answers, schedules and has read every DAG; ends with 1 if not (a health check)."""
    import httpx

    from lifecourse.orchestration.client import Client
    from lifecourse.orchestration.home import existing

    home = existing()
    if home is None:
        raise LifecourseError("Airflow has never been started here", do="`scripts/airflow` starts it")
    try:
        with Client(home, timeout=10, tries=1) as client:
            missing = client.not_ready(len(DAGS))
    except httpx.HTTPError:
        missing = "the web page"
    console.print(f"waiting for {missing}" if missing else "ready")
    if missing:
        raise typer.Exit(1)


@app.command()
def run(
    component: Annotated[str, typer.Argument(help="api-server, dag-processor, scheduler or triggerer.")],
) -> None:
    """Become one component of Airflow, in the foreground: what a container on a server runs."""
    from lifecourse.orchestration.processes import SERVER_COMPONENTS, exec_component

    if component not in SERVER_COMPONENTS:
        raise LifecourseError(f"no component {component!r}", do=f"one of: {', '.join(SERVER_COMPONENTS)}")
    exec_component(component)


def start_warehouse() -> None:
    """Starts the embedded warehouse, unless the settings name another one."""
    from lifecourse.settings import settings
    from lifecourse.warehouse.embedded import EmbeddedPostgres

    if not settings().warehouse_url:
        EmbeddedPostgres().start()


def _companions() -> dict[str, list[str]]:
    """Enters the institution that a demo has left on stage, if any; the processes that serve its sources."""
    from lifecourse.orchestration import stage

    on_stage = stage.current()
    if on_stage is None:
        return {}
    on_stage.enter()
    console.print(
        f"The {on_stage.institution} institution of the demo is on stage: DAGs start when triggered, not by the clock "
        "(`lifecourse airflow trigger pull_teaching DAY`)."
    )
    return on_stage.companions


def print_address(airflow: object) -> None:
    """Where the web page is and how to log in."""
    from lifecourse.orchestration.processes import Airflow

    assert isinstance(airflow, Airflow)
    name, password = airflow.home.login
    console.print(f"Airflow   {airflow.home.url}   login {name}   password {password}", highlight=False)


if __name__ == "__main__":
    app()
