"""What a data engineer does to the loader by hand: quarantine, watermarks, columns, an older knowledge."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lifecourse.cli import app
from lifecourse.errors import LifecourseError
from lifecourse.loading import maintenance, quarantine
from lifecourse.loading.known import create_known_views, drop_known_views
from lifecourse.settings import settings
from tests.pipeline.test_loading import DAY, NEXT, School, school

__all__ = ["school"]


@pytest.fixture(autouse=True)
def _described_here(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFECOURSE_SOURCES_DIR", str(Path(school.spec.file).parent))
    settings.cache_clear()


def test_quarantine_is_listed_by_rule_and_key(school: School) -> None:
    school.pupil(1)
    school.pause(1, from_on="2026-02-30")
    school.pause(2, learner=9)
    school.night()
    assert {(row.relation, row.rule, row.rows) for row in quarantine.by_rule()} == {
        ("school__pauses", "cast_failed", 1),
        ("school__pauses", "missing_parent", 1),
    }
    assert [(key, rules) for key, rules, _ in quarantine.open_keys("school", "pauses", 10)] == [
        ("1", ["cast_failed"]),
        ("2", ["missing_parent"]),
    ]
    shown = CliRunner().invoke(app, ["load", "quarantine"])
    assert shown.exit_code == 0, shown.output
    assert "missing_parent" in shown.output


def test_a_released_row_is_merged_and_touches_its_customer(school: School) -> None:
    school.pupil(1)
    school.pause(2, learner=9)
    school.night()
    assert quarantine.release("school", "pauses", ["2"]) == 1
    [(pause, load)] = school.query("select pause_id, _load_id from raw.school__pauses")
    assert pause == "2"
    assert school.query(f"select kind, key from meta.touched where load_id = {load}") == [("learner", "9")]
    assert school.query("select action, keys from meta.manual_action") == [("released", ["2"])]


def test_a_row_that_could_not_be_read_cannot_be_released(school: School) -> None:
    school.pupil(1)
    school.pause(1, from_on="2026-02-30")
    school.night()
    with pytest.raises(LifecourseError, match="could not be read"):
        quarantine.release("school", "pauses", ["1"])
    with pytest.raises(LifecourseError, match="2 keys were named and 1"):
        quarantine.discard("school", "pauses", ["1", "77"])
    assert quarantine.discard("school", "pauses", ["1"]) == 1
    assert school.query("select _status from quarantine.school__pauses") == [("discarded",)]


def test_a_discarded_row_stays_away_until_it_changes(school: School) -> None:
    school.pupil(1)
    school.pause(1, learner=9)
    school.night()
    quarantine.discard("school", "pauses", ["1"])
    school.pupil(9, changed="2026-03-02 08:00")
    school.night(NEXT)
    assert school.query("select count(*) from raw.school__pauses") == [(0,)]
    school.pause(1, learner=9, reason="travel", changed="2026-03-03 08:00")
    school.night(datetime(2026, 3, 3, tzinfo=UTC).date())
    assert school.query("select reason from raw.school__pauses") == [("travel",)]


def test_a_watermark_set_back_reads_again_and_changes_nothing(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    maintenance.reset_watermark("school", "pauses")
    second = school.night(NEXT)
    assert vars(second.tables["pauses"])["unchanged"] == 1
    assert second.tables["learners"].read == 0


def test_columns_are_accepted_after_a_change(school: School) -> None:
    school.pupil(1)
    school.pause(1)
    school.night()
    school.source.execute("alter table pause alter column reason type varchar(40)")
    with pytest.raises(AssertionError):
        school.night(NEXT)
    assert ("reason", "character varying(40)") in maintenance.accept_columns("school", "pauses")
    school.night(NEXT)


def test_what_was_known_after_a_load(school: School) -> None:
    school.pupil(1)
    school.pause(1, reason="exam")
    school.pause(2)
    school.night()
    [(first,)] = school.query("select max(load_id) from meta.batch where business_day = '2026-03-01'")
    school.pause(1, reason="illness", changed="2026-03-02 08:00")
    school.pause(3, changed="2026-03-02 08:00")
    school.source.execute("delete from pause where id = 2")
    school.night(NEXT)
    schema = create_known_views(first)
    then = school.query(f"select pause_id, reason from {schema}.pauses order by 1")
    now = school.query("select pause_id, reason from canonical.pauses order by 1")
    assert then == [("1", "exam"), ("2", "exam")]
    assert now == [("1", "illness"), ("3", "exam")]
    drop_known_views(first)
    with pytest.raises(LifecourseError, match="no batch was merged as load 999"):
        create_known_views(999)


def test_landing_tables_nobody_waits_for_are_dropped(school: School) -> None:
    school.pupil(1)
    school.night(DAY)
    with school.warehouse.connect("loader") as connection:
        connection.execute("create table landing.b999 (a integer)")
        connection.commit()
    assert maintenance.drop_orphans() == 1
