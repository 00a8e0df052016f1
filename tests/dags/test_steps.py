"""What tasks call: which systems belong to a DAG, what is refused, and errors that hold no value."""

from __future__ import annotations

import functools
import logging
import traceback
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from lifecourse import loading
from lifecourse.errors import LifecourseError
from lifecourse.orchestration import steps
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Warehouse, WarehouseUnreachable

CANARY = "张小明 13800138000"

SYSTEM = """
system: {name}
serves: {serves}
kind: files
directory: /nowhere
holds_build: {holds}
tables:
  - {{name: things, format: csv, pattern: "*.csv", columns: {{id: {{type: text}}}}, key: [id]}}
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes the institution's systems: name=(kind, does a build wait for it)."""
    monkeypatch.setenv("LIFECOURSE_SOURCES_DIR", str(tmp_path))
    settings.cache_clear()

    def write(**systems: tuple[str, bool]) -> None:
        for name, (serves, holds) in systems.items():
            text = SYSTEM.format(name=name, serves=serves, holds=str(holds).lower())
            (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")

    yield write
    settings.cache_clear()


def test_every_system_belongs_to_exactly_one_dag(sources: Any) -> None:
    sources(
        crm=("signup", True),
        school=("teaching", True),
        lms=("teaching", True),
        till=("payments", True),
        bank=("payments", False),
    )
    assert {group: steps.systems_of(group) for group in ("signup", "teaching", "payments", "bills")} == {
        "signup": ["crm"],
        "teaching": ["lms", "school"],
        "payments": ["till"],
        "bills": ["bank"],
    }


def test_the_project_s_own_systems_are_all_pulled() -> None:
    from lifecourse.sources.spec import load_systems

    pulled = [s for group in ("signup", "teaching", "payments", "bills") for s in steps.systems_of(group)]  # type: ignore[arg-type]
    assert sorted(pulled) == sorted(load_systems())


def test_a_kind_that_no_system_serves_delivers_nothing_and_says_so(
    sources: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sources(university=("teaching", True))
    caplog.set_level(logging.INFO)
    assert steps.pull("signup", "2026-03-01") == {}
    assert steps.check_and_merge("signup", "2026-03-01") == {}
    assert steps.deliver("signup", "2026-03-01") == []
    assert "no connected system belongs to signup" in caplog.text


@pytest.mark.parametrize("day", [None, "", "1 March", "2026-02-30", "2026-03-01T00:30:00"])
def test_a_run_without_a_business_day_is_refused(day: str | None) -> None:
    with pytest.raises(LifecourseError, match="business day"):
        steps.pull("signup", day)
    with pytest.raises(LifecourseError, match="business day"):
        steps.begin(day)


def test_a_table_that_cannot_be_read_does_not_stop_the_others(
    sources: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sources(crm=("signup", True), crm2=("signup", True))
    report = SimpleNamespace(rows={"leads": 3, "trials": 4}, errors={"contacts": "column phone is missing"})
    monkeypatch.setattr(loading, "pull_system", lambda system, day: report)
    assert steps.pull("signup", "2026-03-01") == {"crm": 7, "crm2": 7}
    assert "crm.contacts was not read: column phone is missing" in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"could not convert {CANARY}"),
        psycopg.errors.InvalidTextRepresentation(f'invalid input syntax for type date: "{CANARY}"'),
        UnicodeEncodeError("ascii", CANARY, 0, 1, "ordinal not in range"),
    ],
)
def test_an_error_of_a_driver_comes_out_without_the_value(
    sources: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The whole chain counts: Airflow logs what an exception was raised from, too."""
    sources(crm=("signup", True))

    def fail(system: str, day: object) -> None:
        try:
            raise error
        except type(error) as cause:
            raise RuntimeError(f"while reading {CANARY}") from cause

    monkeypatch.setattr(loading, "pull_system", fail)
    with pytest.raises(LifecourseError) as caught:
        steps.pull("signup", "2026-03-01")
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert "RuntimeError" in shown and "steps.py:" in str(caught.value)


def test_a_retry_is_spared_where_it_finds_the_same_again(
    sources: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not where the warehouse was away for a moment."""
    from airflow.sdk.exceptions import AirflowFailException

    sources(crm=("signup", True))

    def raising(error: Exception) -> Any:
        def call(system: str, day: object) -> None:
            raise error

        return call

    monkeypatch.setattr(loading, "deliver", raising(LifecourseError("not delivered")))
    with pytest.raises(LifecourseError, match="not delivered") as caught:
        steps.deliver("signup", "2026-03-01")
    assert isinstance(caught.value, AirflowFailException)

    for passing in (WarehouseUnreachable("restarts"), psycopg.OperationalError("gone")):
        monkeypatch.setattr(loading, "deliver", raising(passing))
        with pytest.raises(LifecourseError) as caught:
            steps.deliver("signup", "2026-03-01")
        assert not isinstance(caught.value, AirflowFailException)

    monkeypatch.setattr(loading, "pull_system", raising(LifecourseError("the source does not answer")))
    with pytest.raises(LifecourseError) as caught:
        steps.pull("signup", "2026-03-01")
    assert not isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("day", ["2026-03-01", "2026-03-02"])
def test_an_old_day_is_older_than_what_readers_have(warehouse: Warehouse, day: str) -> None:
    """`rebuild_day` harms nothing: it never publishes."""
    with pytest.raises(LifecourseError, match="is not an old day: nothing is published yet"):
        steps.begin(None, rebuild_day=day)
    publish_day(warehouse, "2026-03-01")
    with pytest.raises(LifecourseError, match="is not an old day: readers have 2026-03-01"):
        steps.begin("2026-02-01", rebuild_day=day)


def publish_day(warehouse: Warehouse, as_of: str, rolled_back: bool = False) -> None:
    """Notes in `meta` that a day was built and published."""
    with warehouse.connect("loader") as connection:
        connection.execute(
            "insert into meta.build (build_id, as_of, kind, last_load_id, code_hash, rules_hash)"
            " values (%s, %s, 'full', 1, '', '')",
            (as_of, as_of),
        )
        connection.execute(
            "insert into meta.publication (build_id, as_of, kind, last_load_id, rows, rows_written, rolled_back_at)"
            " values (%s, %s, 'full', 1, '{}', '{}', case when %s then now() end)",
            (as_of, as_of, rolled_back),
        )
        connection.commit()


class TestFreshness:
    """The end of the published business day counts, in the institution's zone."""

    @pytest.fixture
    def published(self, sources: Any, warehouse: Warehouse) -> Any:
        sources(crm=("signup", True), bank=("payments", False))
        return functools.partial(publish_day, warehouse)

    @staticmethod
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))

    def test_an_hour_after_a_good_night(self, published: Any) -> None:
        published("2026-03-01")
        assert steps.check_freshness(self.at("2026-03-02 01:00")) == {
            "as_of": "2026-03-01",
            "age_hours": 1.0,
            "allowed_hours": 30,
        }

    def test_six_in_the_morning_is_the_last_moment(self, published: Any) -> None:
        published("2026-03-01")
        steps.check_freshness(self.at("2026-03-03 06:00"))
        with pytest.raises(LifecourseError, match=r"as of 2026-03-01, 31\.0 hours old.*crm never") as caught:
            steps.check_freshness(self.at("2026-03-03 07:00"))
        assert "bank" not in str(caught.value), "no build waits for bills"

    def test_a_publication_that_was_rolled_back_does_not_count(self, published: Any) -> None:
        published("2026-03-01")
        published("2026-03-02", rolled_back=True)
        assert steps.check_freshness(self.at("2026-03-03 01:00"))["as_of"] == "2026-03-01"

    def test_nothing_published_yet(self, published: Any) -> None:
        with pytest.raises(LifecourseError, match="nothing has been published yet"):
            steps.check_freshness(self.at("2026-03-02 01:00"))
