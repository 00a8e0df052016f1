"""Two whole nights as the demo plays them, under a running Airflow: with values that nobody else has in every personal
column, and with workers, scheduler and Postgres killed in turn.

`LIFECOURSE_TEST_AIRFLOW_KILLS` says how often (default 3: one of each). What the nights leave behind is compared with
nights of the same institution that nobody disturbed, played without Airflow.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from lifecourse import building
from lifecourse.errors import LifecourseError
from lifecourse.orchestration import demo as demo_module
from lifecourse.orchestration.client import Client
from lifecourse.orchestration.demo import BILL_DAYS, Demo, Simulated, StepFailed
from lifecourse.orchestration.home import _fernet_key
from lifecourse.orchestration.processes import Airflow
from lifecourse.orchestration.settings import orchestration_settings
from lifecourse.settings import PROJECT, settings
from lifecourse.simulator.institution import Institution
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Role, Warehouse, warehouse
from lifecourse.warehouse.embedded import START_SECONDS, EmbeddedPostgres
from lifecourse.warehouse.setup import set_up
from tests.contents import contents, differing, files_with, tables_with
from tests.support import payments_server, run_night

pytestmark = pytest.mark.slow

CUSTOMERS = 1_000
KILLS = int(os.environ.get("LIFECOURSE_TEST_AIRFLOW_KILLS", "3"))
VICTIMS = ("worker", "scheduler", "postgres")
#: Seconds between two kills: the first third of a night pulls, the rest builds.
PAUSE = (4.0, 16.0)
#: What the server keeps its tables in; beside it lies its log.
SERVER_DATA = ("pgdata/base", "pgdata/pg_wal")
#: A secret that comes by the environment, as on a server; the others are made by the installation.
PAYMENTS_TOKEN = "given-by-the-environment-5f0c1d7e"
#: A night that was disturbed is started again, as a person would, at most so often.
TRIES = 4 + KILLS


class WithCanaries(Simulated):
    """The demo's institution with a value that nobody else has in every personal column."""

    def live(self, at: Warehouse, say: Callable[[str], None]) -> str:
        there_is = super().live(at, say)
        Institution.open(at).plant_canaries(at)
        return there_is


@dataclass
class Killer:
    """Kills now a worker, now the scheduler, now Postgres, at random instants while it is at work."""

    airflow: Airflow
    victims: tuple[str, ...]
    chance: random.Random
    killed: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Killer:
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        assert self._thread is not None
        # Who is starting Postgres again is not left half-way.
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive()

    def _work(self) -> None:
        for victim in self.victims:
            if self._end.wait(self.chance.uniform(*PAUSE)):
                return
            if victim == "postgres":
                self._kill_postgres()
            elif victim == "scheduler":
                os.kill(self.airflow.running()["scheduler"], signal.SIGKILL)
                self.killed.append(victim)
            else:
                self._kill_worker()

    def _kill_worker(self) -> None:
        """A process that is running a task; waits for one."""
        while not self._end.wait(0.1):
            scheduler = self.airflow.running().get("scheduler")
            if scheduler is None:
                continue
            try:
                family = psutil.Process(scheduler).children(recursive=True)
                at_work = [each for each in family if is_at_work(each)]
            except psutil.NoSuchProcess:
                continue
            if at_work:
                self.chance.choice(at_work).kill()
                self.killed.append("worker")
                return

    def _kill_postgres(self) -> None:
        pid = int((settings().home / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        self.killed.append("postgres")
        EmbeddedPostgres().start()


def is_at_work(process: psutil.Process) -> bool:
    """Whether a process of the scheduler's family is busy with a task."""
    title = " ".join(process.cmdline())
    return "airflow worker -- LocalExecutor:" in title and "<idle>" not in title


class Play(Demo):
    """A demo that is disturbed, and that looks at what stands after each night."""

    def __init__(self, actor: Simulated) -> None:
        super().__init__(actor)
        self.after: list[dict[str, str]] = []
        self.killed: list[str] = []
        self.stumbled: list[str] = []

    def _night(self, airflow: Airflow, number: int) -> None:
        in_turn = tuple(VICTIMS[kill % len(VICTIMS)] for kill in range(KILLS))
        victims = in_turn[: KILLS - KILLS // 2] if number == 1 else in_turn[KILLS - KILLS // 2 :]
        with Killer(airflow, victims, random.Random(number)) as killer:
            for _ in range(TRIES):
                try:
                    super()._night(airflow, number)
                except StepFailed as failed:
                    self.stumbled.append(f"{failed.step}: {failed.error}")
                    # Somebody comes, starts Postgres (or waits for who is starting it: it may have a lot to recover
                    # on a busy machine) and what else has stopped, and triggers the night again.
                    EmbeddedPostgres().start()
                    warehouse().wait(300)
                    time.sleep(5)
                    airflow._restarts.clear()
                    airflow.keep_running()
                else:
                    break
            else:
                raise AssertionError(f"night {number} never ended well: {self.stumbled}")
        self.killed += killer.killed
        self.after.append(contents(warehouse()))

    def _say_goodbye(self, airflow: Airflow) -> None:
        """Before Airflow is stopped, a third day on which the sources hold what they must not."""
        at = warehouse()
        for database, change in (
            ("sim_teaching", "alter table learners alter column registered_at type text using name"),
            ("sim_signup", "alter table leads rename column created_at to created"),
        ):
            with at.connect(Role.SIMULATOR, database=database, autocommit=True) as connection:
                connection.execute(change)
        with Client(airflow.home) as client:
            for dag in ("pull_teaching", "pull_signup"):
                run = client.trigger(dag, "2026-03-03")
                with pytest.raises(LifecourseError, match="has failed"):
                    client.wait_for([(dag, run)], 120)


@dataclass
class Played:
    """What two nights have left."""

    home: Path
    said: str
    play: Play
    canaries: list[str]
    warehouse: Warehouse
    undisturbed: list[dict[str, str]]


def undisturbed(at: Warehouse, home: Path) -> list[dict[str, str]]:
    """The same institution's nights in databases of their own, step after step in one process."""
    actor = Simulated(CUSTOMERS)
    set_up(at)
    institution = Institution(1, CUSTOMERS, actor.nights[0], "default", home=home)
    institution.create(at)
    institution.write_bills(at, BILL_DAYS)
    institution.plant_canaries(at)
    after = []
    with pytest.MonkeyPatch.context() as patch, payments_server(at) as url:
        patch.setenv(SUFFIX_VARIABLE, at.suffix)
        patch.setenv("LIFECOURSE_PAYMENTS_URL", url)
        patch.setenv("LIFECOURSE_BILLS_DIR", str(institution.bills_folder))
        for number, night in enumerate(actor.nights):
            if number:
                institution.advance(at)
                institution.write_bills(at, BILL_DAYS)
            # As the demo does it: bills are those of the day before.
            run_night(at, night - timedelta(days=1), ("bills",))
            run_night(at, night, ("signup", "teaching", "payments"))
            building.build(night, into=at)
            after.append(contents(at))
    return after


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    # Postgres drops root and must reach its files: a folder that others may pass through.
    home = Path(tempfile.mkdtemp(prefix="lifecourse-test-night-"))
    home.chmod(0o711)
    dags = tmp_path_factory.mktemp("dags")
    for file in (PROJECT / "dags").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        # Who waits a minute and more before trying again is right on a server, not here.
        hasty = text.replace("timedelta(minutes=1)", "timedelta(seconds=1)")
        (dags / file.name).write_text(hasty, encoding="utf-8")
    console = Console(record=True, width=200, force_terminal=False)
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("LIFECOURSE_")]:
        del os.environ[name]
    os.environ |= {
        "LIFECOURSE_HOME": str(home),
        "LIFECOURSE_DAGS_DIR": str(dags),
        "LIFECOURSE_AIRFLOW_PORT": "28180",
        "LIFECOURSE_SECRET_PAYMENTS_TOKEN": PAYMENTS_TOKEN,
    }
    _forget_settings()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(demo_module, "console", console)
            play = Play(WithCanaries(CUSTOMERS))
            play.run()
        at = warehouse()
        canaries = json.loads((home / "simulator" / "canaries.json").read_text(encoding="utf-8"))
        calm = undisturbed(replace(at, suffix="_calm"), home / "calm")
        yield Played(home, console.export_text(), play, canaries, at, calm)
    finally:
        # Also what the demo's stage has set.
        os.environ.clear()
        os.environ |= before
        EmbeddedPostgres(home).remove()
        shutil.rmtree(home, ignore_errors=True)
        _forget_settings()


def _forget_settings() -> None:
    settings.cache_clear()
    orchestration_settings.cache_clear()


def test_killed_nights_end_like_calm_ones(played: Played) -> None:
    for number, (calm, found) in enumerate(zip(played.undisturbed, played.play.after, strict=True), 1):
        assert any(name.startswith("marts.fct_") for name in calm)
        assert not differing(calm, found), f"after night {number}"
    # Of many kills some may come after the night's end, but each kind of victim has been hit.
    assert set(played.play.killed) == set(VICTIMS[:KILLS])


def test_personal_values_are_in_the_vault_and_nowhere_else(played: Played) -> None:
    assert len(played.canaries) > 50
    in_warehouse = tables_with(played.warehouse, played.canaries)
    assert {name for name in in_warehouse if not name.startswith("vault.")} == set()
    assert "vault.value" in in_warehouse, "the search finds what is there"


def test_airflow_knows_no_personal_value(played: Played) -> None:
    """XCom, rendered fields, event log: every table of its database."""
    assert tables_with(played.warehouse, ["check_and_merge"], "airflow"), "the search finds what is there"
    assert tables_with(played.warehouse, played.canaries, "airflow") == set()


def test_no_file_holds_a_personal_value(played: Played) -> None:
    """Logs of tasks (those that failed on the third day too), of Airflow's processes and of Postgres; Data Docs."""
    kept_on_purpose = (*SERVER_DATA, "simulator", "calm")
    assert files_with(played.home, played.canaries, kept_on_purpose) == set()
    logs = files_with(played.home, ["What to do"], kept_on_purpose)
    assert any("dag_id=pull_teaching" in name for name in logs)
    assert any("dag_id=pull_signup" in name for name in logs)
    assert list(played.home.glob("data_docs/**/*.html"))


def test_the_demo_prints_no_personal_value(played: Played) -> None:
    assert "quarantine" in played.said.lower()
    assert [each for each in played.canaries if each in played.said] == []


def test_the_demo_ends_with_an_erasure(played: Played) -> None:
    """Somebody who was known to the systems is honoured, and found in no table by the number they had."""
    asked = re.search(r"privacy erase (C\d+) --now", played.said)
    assert asked
    assert re.search(r"Request \S+ is honoured", played.said)
    assert re.search(r"places with anything of that person left\W+0\W", played.said)
    assert f"Asked again for {asked[1]}: nobody has this id" in played.said
    assert tables_with(played.warehouse, [asked[1]]) == set()
    assert tables_with(played.warehouse, [_another_customer(played)]), "the search finds what is there"


def _another_customer(played: Played) -> str:
    with played.warehouse.connect(Role.BI_READER) as connection:
        row = connection.execute("select min(customer_id) from marts.dim_customer").fetchone()
    assert row
    return str(row[0])


def secrets_of(home: Path) -> dict[str, str]:
    """Every secret of the installation by its name: those that it made, what follows from them, one that it was given."""
    made: dict[str, str] = json.loads((home / "secrets.json").read_text(encoding="utf-8"))
    return made | {"fernet key in use": _fernet_key(), "payments_token": PAYMENTS_TOKEN}


def test_every_kind_of_secret_is_looked_for(played: Played) -> None:
    made = secrets_of(played.home)
    assert made.keys() >= {
        *(f"warehouse_{role}" for role in Role), "vault_key_1", "suppression_key", "payments_token",
        "airflow_fernet", "airflow_jwt", "airflow_api_key", "airflow_login",
    }  # fmt: skip
    assert all(len(value) >= 16 for value in made.values()), "long enough to be found by themselves only"


def test_no_file_but_those_made_for_them_holds_a_secret(played: Played) -> None:
    """Logs of tasks, of Airflow's processes and of Postgres, rendered pages, dbt's artefacts."""
    secrets = secrets_of(played.home).values()
    made_for_them = {"secrets.json", "airflow/airflow.cfg", "airflow/login.json"}
    # What lies in the server's data files is asked of its tables.
    assert files_with(played.home, secrets, SERVER_DATA) == made_for_them
    assert {played.home.joinpath(name).stat().st_mode & 0o077 for name in made_for_them} == {0}
    planted = played.home / "logs" / "planted.log"
    for name, value in secrets_of(played.home).items():
        planted.write_text(f"connecting to postgresql://somebody:{value}@127.0.0.1/x\n", encoding="utf-8")
        assert files_with(played.home / "logs", secrets) == {"planted.log"}, f"a log with {name} is found"
    planted.unlink()


def test_no_table_holds_a_secret(played: Played) -> None:
    """Airflow's database (XCom, rendered fields, event log, variables, connections), and the warehouse's."""
    secrets = secrets_of(played.home)
    for database in ("airflow", None):
        assert tables_with(played.warehouse, secrets.values(), database) == set()
        with played.warehouse.connect(Role.ADMIN, database) as connection:
            connection.execute("create table public.planted (said jsonb)")
            connection.execute(
                "insert into public.planted values (jsonb_build_object('return_value', %s::text))",
                (f"token={secrets['warehouse_loader']}",),
            )
            connection.commit()
            found = tables_with(played.warehouse, secrets.values(), database)
            connection.execute("drop table public.planted")
            connection.commit()
        assert found == {"public.planted"}, "a secret in a document is found"


def test_the_demo_prints_no_secret(played: Played) -> None:
    assert [name for name, value in secrets_of(played.home).items() if value in played.said] == []
