"""Airflow's home: written from the settings, readable by the owner only, quiet, and the same every time."""

from __future__ import annotations

import configparser
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.configuration import AirflowConfigParser

from lifecourse.orchestration import home as home_module
from lifecourse.orchestration.home import existing, free_port, prepare
from lifecourse.orchestration.processes import SERVER_COMPONENTS, Airflow
from lifecourse.orchestration.settings import OrchestrationSettings, orchestration_settings
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Warehouse


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of its own, and a warehouse that need not run."""
    monkeypatch.setenv("LIFECOURSE_HOME", str(tmp_path))
    monkeypatch.setenv("LIFECOURSE_SECRET_WAREHOUSE_AIRFLOW", "p@ss%/word")
    monkeypatch.setattr("lifecourse.warehouse.connection.warehouse", lambda: Warehouse("127.0.0.1", 25432))
    # Another Airflow on this machine may start and stop meanwhile.
    monkeypatch.setattr(home_module, "free_port", lambda host, wanted, avoid=(): wanted)
    settings.cache_clear()
    orchestration_settings.cache_clear()
    yield tmp_path
    settings.cache_clear()
    orchestration_settings.cache_clear()


def written(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(path / "airflow" / "airflow.cfg", encoding="utf-8")
    return parser


def test_metadata_is_in_postgres_and_the_password_survives_the_file(place: Path) -> None:
    prepare()
    url = written(place)["database"]["sql_alchemy_conn"]
    assert url == "postgresql+psycopg2://lifecourse_airflow:p%40ss%25%2Fword@127.0.0.1:25432/airflow"


def test_others_cannot_read_it(place: Path) -> None:
    prepare()
    for file in ("airflow.cfg", "login.json"):
        assert (place / "airflow" / file).stat().st_mode & 0o077 == 0


def test_twice_gives_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The usual ports may be taken by an Airflow that runs beside the tests.
    monkeypatch.setattr("lifecourse.orchestration.home.free_port", lambda host, wanted, avoid=(): wanted)
    first = prepare()
    text = (place / "airflow" / "airflow.cfg").read_text()
    assert prepare() == first
    assert (place / "airflow" / "airflow.cfg").read_text() == text
    assert existing() == first


def test_only_options_that_airflow_knows(place: Path) -> None:
    """A misspelt option is silently ignored by Airflow."""
    from airflow.configuration import retrieve_configuration_description

    known = retrieve_configuration_description(include_providers=True)
    prepare()
    parser = written(place)
    for section in parser.sections():
        for option in parser[section]:
            assert option in known[section]["options"], f"[{section}] {option}"


def test_the_login_is_ours(place: Path) -> None:
    name, password = prepare().login
    assert json.loads((place / "airflow" / "login.json").read_text()) == {name: password}
    assert len(password) >= 24


def test_few_workers_and_no_examples(place: Path) -> None:
    prepare()
    core = written(place)["core"]
    assert (core["executor"], core["parallelism"], core["load_examples"]) == ("LocalExecutor", "3", "False")


def test_nobody_outside_learns_that_we_run(place: Path) -> None:
    environment = prepare().environment()
    assert environment["SCARF_ANALYTICS"] == "false"
    assert environment["GX_ANALYTICS_ENABLED"] == "false"
    assert environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"


def test_another_airflow_s_settings_do_not_leak_in(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW_HOME", "/somebody/else")
    environment = prepare().environment()
    assert "AIRFLOW__CORE__EXECUTOR" not in environment
    assert environment["AIRFLOW_HOME"] == str(place / "airflow")


def test_ports_that_are_taken(place: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) != port


@pytest.mark.parametrize("port", [8793, 8794, 80, 70000])
def test_a_port_that_cannot_be(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFECOURSE_AIRFLOW_PORT", str(port))
    with pytest.raises(ValueError, match="airflow_port"):
        OrchestrationSettings()  # type: ignore[call-arg]


def policy(place: Path) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    exec((place / "airflow" / "config" / "airflow_local_settings.py").read_text(), scope)
    return scope


def test_where_days_are_not_today_s_no_dag_starts_by_the_clock(
    place: Path, monkeypatch: pytest.MonkeyPatch, dag_files: list[Path]
) -> None:
    """Runs are triggered with a day there; the assets still start build_marts."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    monkeypatch.setenv("LIFECOURSE_AIRFLOW_CLOCK", "false")
    orchestration_settings.cache_clear()
    prepare()
    dags = DagBag(dag_files[0].parent).dags
    for dag in dags.values():
        policy(place)["dag_policy"](dag)
    kinds = {
        name: type(DagSerialization.from_dict(DagSerialization.to_dict(d)).timetable)
        for name, d in dags.items()
    }
    assert {name: kind.__name__ for name, kind in kinds.items()} == {
        "pull_signup": "PartitionedAtRuntime",
        "pull_teaching": "PartitionedAtRuntime",
        "pull_payments": "PartitionedAtRuntime",
        "pull_bills": "PartitionedAtRuntime",
        "watch_freshness": "NullTimetable",
        "train_models": "NullTimetable",
        "honour_erasure_requests": "NullTimetable",
        "build_marts": "PartitionedAssetTimetable",
    }


def test_by_default_the_clock_rules(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFECOURSE_AIRFLOW_CLOCK", "false")
    orchestration_settings.cache_clear()
    prepare()
    monkeypatch.delenv("LIFECOURSE_AIRFLOW_CLOCK")
    orchestration_settings.cache_clear()
    prepare()
    assert not (place / "airflow" / "config" / "airflow_local_settings.py").exists()


def test_a_number_that_somebody_else_has_now_is_not_taken_for_ours(place: Path) -> None:
    airflow = Airflow(prepare(), components=SERVER_COMPONENTS)
    pids = place / "airflow" / "pids"
    pids.mkdir()
    for component in SERVER_COMPONENTS:
        (pids / f"{component}.json").write_text(json.dumps([{"pid": os.getpid(), "started": 1.0}]))
    assert airflow.running() == {}
    airflow.stop(patience=0)  # ends nobody: we are still here


def test_airflow_reads_it(place: Path) -> None:
    home = prepare()
    parser = AirflowConfigParser()
    parser.read(home.path / "airflow.cfg")
    assert parser.get("api", "base_url") == home.url
    assert home_module.LOGIN in parser.get("core", "simple_auth_manager_users")
