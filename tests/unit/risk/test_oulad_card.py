"""The proof on real students: the sample in the project goes through all of it, and the future does not matter."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lifecourse.errors import LifecourseError
from lifecourse.risk import oulad
from lifecourse.risk.card import OUTCOMES, PAGE, PICTURE, Result, measure, page, picture
from lifecourse.settings import PROJECT

SAMPLE = PROJECT / "data" / "oulad_sample"
LAST_DAY = oulad.last_day_of(max(oulad.WEEKS))


@pytest.fixture(scope="module")
def files() -> oulad.Files:
    return oulad.Files.read(SAMPLE, LAST_DAY)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return measure(SAMPLE, least_cases=3)


def test_who_is_there_at_the_end_of_a_week_has_a_row(files: oulad.Files) -> None:
    registrations = pd.read_parquet(SAMPLE / "studentRegistration.parquet")
    for week in oulad.WEEKS:
        day = 7 * week - 1
        found = oulad.rows(files, week)
        there = (registrations.date_registration.fillna(0) <= day) & ~(
            registrations.date_unregistration <= day
        )
        assert len(found) == there.sum()
        left = registrations.date_unregistration.between(day + 1, day + 28) & there
        assert found.withdraws.fillna(False).sum() == left.sum() > 0
        assert found[oulad.FEATURES].notna().any().all()
        assert 0 < found.danger.mean() < 1


@pytest.mark.parametrize("week", oulad.WEEKS)
def test_what_happens_after_the_week_changes_nothing(files: oulad.Files, week: int) -> None:
    """Clicks, work handed in, marks and withdrawals after the day are changed or taken away: values stay the same."""
    day = oulad.last_day_of(week)
    rng = np.random.default_rng(week)
    before = oulad.rows(files, week)

    clicks = files.clicks.copy()
    later = clicks.date > day
    clicks.loc[later, "clicks"] += 1_000
    clicks = clicks[~later | (rng.random(len(clicks)) < 0.5)]
    handed_in = files.handed_in.copy()
    late = handed_in.date_submitted > day
    delay = rng.integers(1, 90, len(handed_in)).astype("int32")
    handed_in["date_submitted"] = handed_in.date_submitted.where(~late, handed_in.date_submitted + delay)
    unmarked = handed_in.date_submitted > day - oulad.MARKING_DAYS
    handed_in["score"] = handed_in.score.where(~unmarked, 100.0 - handed_in.score)
    registrations = files.registrations.copy()
    leaves = registrations.date_unregistration > day
    registrations["date_unregistration"] = registrations.date_unregistration.where(~leaves)
    registrations["final_result"] = rng.permutation(list(registrations.final_result))
    after = oulad.rows(replace(files, clicks=clicks, handed_in=handed_in, registrations=registrations), week)

    known = [*oulad.KEY, *oulad.FEATURES, "danger"]
    pd.testing.assert_frame_equal(before[known], after[known])
    assert not before.fails.equals(after.fails), "the outcome is of the future, and did change"


def test_what_happened_before_does_change_the_values(files: oulad.Files) -> None:
    clicks = files.clicks[files.clicks.date % 2 == 0]
    before, after = oulad.rows(files, 8), oulad.rows(replace(files, clicks=clicks), 8)
    assert (before.study_days_28d != after.study_days_28d).mean() > 0.5


def test_presentations_are_fitted_to_and_proven_on_in_their_order(files: oulad.Files) -> None:
    sample, known = oulad.sample(oulad.rows(files, 4), "withdraws")
    part = dict(zip(known.code_presentation, sample.split, strict=True))
    assert part == {"2013B": 0, "2013J": 0, "2014B": 1, "2014J": 2}


def test_the_card_of_the_sample_has_every_outcome_week_and_module(results: list[Result]) -> None:
    assert [(each.outcome, each.week) for each in results] == [(o, w) for o in OUTCOMES for w in oulad.WEEKS]
    text = page(results)
    for each in results:
        assert each.proof.verdict in ("beats_rule", "does_not_beat_rule", "too_few_cases")
        assert sum(m.rows for m in each.modules) == each.proof.measures["proven_rows"]
        assert sum(m.cases for m in each.modules) == each.proof.measures["proven_cases"]
    assert sum(each.proof.scorer is not None for each in results) >= 4
    assert all(f"| {module} | 4 |" in text for module in ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG"])
    panels = ET.fromstring(picture(results)).findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(panels) == sum(each.proof.scorer is not None for each in results)


def test_the_card_in_the_project_is_of_the_whole_data_set() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for outcome in OUTCOMES.values():
        assert text.count(f"| {outcome} |") >= 3
    assert "sample" not in text
    ET.fromstring(PICTURE.read_text(encoding="utf-8"))


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(LifecourseError, match="courses.parquet is not there"):
        oulad.Files.read(tmp_path, LAST_DAY)
