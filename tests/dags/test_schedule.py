"""Which business day a run is for: the institution's days, whatever the clock in Greenwich says."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from lifecourse.orchestration.cli import DAGS

SHANGHAI = ZoneInfo("Asia/Shanghai")


def timetable(dag: Any) -> Any:
    """The timetable as the scheduler gets it, out of the serialised DAG."""
    return DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable


def next_run(dag: Any, after: datetime) -> Any:
    """The first run not before an instant."""
    restriction = TimeRestriction(earliest=pendulum.instance(after), latest=None, catchup=True)
    return timetable(dag).next_dagrun_info_v2(last_dagrun_info=None, restriction=restriction)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize("name", ["pull_signup", "pull_teaching", "pull_payments"])
@pytest.mark.parametrize(
    ("now", "runs_at", "business_day"),
    [
        pytest.param(
            "2026-03-02 00:30",
            "2026-03-02 00:30",
            "2026-03-01",
            id="half past midnight: the day that ended",
        ),
        pytest.param(
            "2026-03-01 23:30",
            "2026-03-02 00:30",
            "2026-03-01",
            id="late evening: not yet, an hour to go",
        ),
        pytest.param(
            "2026-03-02 00:31",
            "2026-03-03 00:30",
            "2026-03-02",
            id="just after: the next night",
        ),
        pytest.param(
            "2026-03-01 07:59",
            "2026-03-02 00:30",
            "2026-03-01",
            id="still yesterday in Greenwich",
        ),
        pytest.param(
            "2026-03-01 00:30",
            "2026-03-01 00:30",
            "2026-02-28",
            id="over the end of a month",
        ),
        pytest.param("2024-03-01 00:30", "2024-03-01 00:30", "2024-02-29", id="a leap day"),
        pytest.param(
            "2026-01-01 00:30",
            "2026-01-01 00:30",
            "2025-12-31",
            id="over the end of a year",
        ),
    ],
)
def test_pull_is_for_the_day_that_has_just_ended(
    dag_bag: Any, name: str, now: str, runs_at: str, business_day: str
) -> None:
    run = next_run(dag_bag.dags[name], local(now))
    assert run.run_after == local(runs_at)
    assert run.partition_key == business_day


def test_the_three_pulls_share_the_key_of_a_night(dag_bag: Any) -> None:
    """Otherwise the build would wait for ever."""
    night = local("2026-03-02 00:00")
    keys = {
        next_run(dag_bag.dags[n], night).partition_key
        for n in ("pull_signup", "pull_teaching", "pull_payments")
    }
    assert keys == {"2026-03-01"}


def test_bills_are_pulled_after_they_are_offered(dag_bag: Any) -> None:
    run = next_run(dag_bag.dags["pull_bills"], local("2026-03-02 00:31"))
    assert run.run_after == local("2026-03-02 10:30")
    assert run.partition_key == "2026-03-01"


def test_nights_follow_each_other_without_gap_or_repetition(dag_bag: Any) -> None:
    table = timetable(dag_bag.dags["pull_signup"])
    restriction = TimeRestriction(
        earliest=pendulum.instance(local("2026-02-26 00:00")), latest=None, catchup=True
    )
    info, keys = None, []
    for _ in range(4):
        info = table.next_dagrun_info_v2(last_dagrun_info=info, restriction=restriction)
        keys.append(info.partition_key)
    assert keys == ["2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28"]


def test_a_backfill_range_is_read_as_business_days(dag_bag: Any) -> None:
    infos = timetable(dag_bag.dags["pull_signup"]).iter_partition_dagrun_infos(
        earliest=datetime(2026, 2, 27, tzinfo=UTC),
        latest=datetime(2026, 3, 1, 23, 59, tzinfo=UTC),
    )
    assert [info.partition_key for info in infos] == [
        "2026-02-27",
        "2026-02-28",
        "2026-03-01",
    ]


def test_a_day_is_accepted_as_a_key_and_other_texts_are_not(dag_bag: Any) -> None:
    from airflow.exceptions import InvalidPartitionKeyError

    table = timetable(dag_bag.dags["pull_signup"])
    assert table.resolve_partition_date("2026-03-01") == local("2026-03-01 00:00")
    with pytest.raises(InvalidPartitionKeyError):
        table.resolve_partition_date("1 March")


def test_the_watch_looks_every_hour(dag_bag: Any) -> None:
    table = timetable(dag_bag.dags["watch_freshness"])
    restriction = TimeRestriction(
        earliest=pendulum.instance(local("2026-03-01 10:01")), latest=None, catchup=True
    )
    info = table.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert info.run_after == local("2026-03-01 11:00")


def test_models_are_trained_on_mondays_after_the_night(dag_bag: Any) -> None:
    table = timetable(dag_bag.dags["train_models"])
    restriction = TimeRestriction(
        earliest=pendulum.instance(local("2026-03-01 10:01")), latest=None, catchup=True
    )
    info = table.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert info.run_after == local("2026-03-02 06:00")


def test_another_institution_has_other_days(monkeypatch: pytest.MonkeyPatch, dag_files: list[Path]) -> None:
    """The zone is the institution's setting; in London the clocks change on 29 March 2026."""
    monkeypatch.setenv("LIFECOURSE_TIMEZONE", "Europe/London")
    file = next(file for file in dag_files if file.stem == "pull_teaching")
    spec = importlib.util.spec_from_file_location("pull_teaching_in_london", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    london = ZoneInfo("Europe/London")
    run = next_run(module.pull_teaching(), datetime(2026, 3, 30, 0, 0, tzinfo=london))
    assert run.run_after == datetime(2026, 3, 29, 23, 30, tzinfo=UTC)
    assert run.partition_key == "2026-03-29"


def test_every_dag_can_be_serialised(dag_bag: Any) -> None:
    for name in DAGS:
        DagSerialization.to_dict(dag_bag.dags[name])
