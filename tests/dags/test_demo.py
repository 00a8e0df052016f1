"""The demo's manners: whose warehouse it may empty, what it says when a step fails, what it leaves on stage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from lifecourse.errors import LifecourseError
from lifecourse.orchestration import demo as demo_module
from lifecourse.orchestration import stage
from lifecourse.orchestration.demo import (
    Demo,
    InstitutionName,
    Simulated,
    StepFailed,
    _mark,
    _refuse_unless_ours,
)
from lifecourse.orchestration.oulad import Oulad
from lifecourse.orchestration.settings import orchestration_settings
from lifecourse.orchestration.showcase import QUESTIONS
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Warehouse


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Console:
    """What is printed, as text."""
    console = Console(record=True, width=200, force_terminal=False)
    monkeypatch.setattr(demo_module, "console", console)
    return console


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LIFECOURSE_HOME", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_a_warehouse_with_rows_of_somebody_s_is_not_emptied(warehouse: Warehouse) -> None:
    _refuse_unless_ours(warehouse)  # empty: nobody loses anything
    with warehouse.connect("loader") as connection:
        connection.execute(
            "insert into meta.batch (system, source_table, business_day, window_to) values ('crm', 'leads', now(), now())"
        )
        connection.commit()
    with pytest.raises(LifecourseError, match="no demo has loaded") as caught:
        _refuse_unless_ours(warehouse)
    assert "LIFECOURSE_HOME=" in (caught.value.do or "")
    _mark(warehouse)
    _refuse_unless_ours(warehouse)


def test_a_failure_says_which_step_where_to_look_and_what_to_do(said: Console) -> None:
    play = Demo(Simulated(1_000))
    with pytest.raises(StepFailed) as caught, play._step("Start the warehouse"):
        raise LifecourseError("port 25432 is taken", "/home/pg/server.log", "stop the other server")
    caught.value.show()
    text = said.export_text()
    assert "Failed Start the warehouse" in text
    assert "port 25432 is taken" in text
    assert "Look at /home/pg/server.log" in text
    assert "stop the other server; then run scripts/demo again" in text


def test_an_unexpected_failure_is_kept_in_a_log(said: Console, place: Path) -> None:
    play = Demo(Simulated(1_000))
    with pytest.raises(StepFailed) as caught, play._step("Night 1"):
        raise ZeroDivisionError("whatever")
    caught.value.show()
    assert f"Look at {place / 'logs' / 'demo.log'}" in said.export_text()
    assert "ZeroDivisionError" in (place / "logs" / "demo.log").read_text()


def test_a_step_that_went_well_says_how_long_it_took(said: Console) -> None:
    with Demo(Simulated(1_000))._step("Start the warehouse"):
        pass
    assert "✓ Start the warehouse" in said.export_text()


def test_what_is_on_stage_outlives_the_demo(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.current() is None
    left = stage.Stage("simulated", {"LIFECOURSE_AIRFLOW_CLOCK": "false"}, {"payments-api": ["-c", "pass"]})
    left.save()
    found = stage.current()
    assert found == left
    monkeypatch.delenv("LIFECOURSE_AIRFLOW_CLOCK", raising=False)
    found.enter()
    try:
        assert orchestration_settings().airflow_clock is False
    finally:
        del os.environ["LIFECOURSE_AIRFLOW_CLOCK"]
        orchestration_settings.cache_clear()


def test_the_nights_follow_each_other() -> None:
    for actor in (Simulated(1_000), Oulad()):
        first, second = actor.nights
        assert (second - first).days == 1
    # The university's last presentation is over by then, whatever its letter.
    assert Oulad().nights[0] >= date(2015, 7, 1)


def test_a_folder_without_the_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(LifecourseError, match=r"no studentVle\.parquet here") as caught:
        Oulad(tmp_path).stage()
    assert str(tmp_path) in str(caught.value)


def test_three_questions_for_every_institution() -> None:
    assert set(QUESTIONS) == {name.value for name in InstitutionName}
    for questions in QUESTIONS.values():
        assert len(questions) == 3
        assert all("marts." in question.query for question in questions)
