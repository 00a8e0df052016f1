"""The Open University Learning Analytics Dataset as a proof on real students: who withdraws next, and who fails.

Read from the data set's files. A row is a registration at the end of a week; its values come from what happened up to
the last day of that week and nothing later. Days are relative to the presentation's first day, as in the files.

What is told of a person and has nothing to do with studying (gender, age, region, deprivation, disability, schooling) is
left out on purpose, see docs/model_card.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lifecourse.errors import LifecourseError
from lifecourse.risk.proving import Sample

WEEKS = (4, 8, 12)
#: Days after the week in which a withdrawal counts.
AHEAD = 28
#: Files say when work was handed in, not when it was marked: a mark is taken to be known so many days later.
MARKING_DAYS = 14
PART_OF_PRESENTATION = {"2013B": 0, "2013J": 0, "2014B": 1, "2014J": 2}
#: Rules of the lifecycle (seed lifecycle_rules) that the signals of danger go by.
INACTIVE_DAYS, HOMEWORK_SHARE, USAGE_BEFORE, USAGE_SHARE = 14, 0.6, 4, 0.5

KEY = ["code_module", "code_presentation", "id_student"]
PRESENTATION = KEY[:2]
FEATURES = [
    "registered_days", "previous_attempts", "credits",
    "days_since_study", "study_days_28d", "study_trend", "study_days", "log_clicks_28d", "log_clicks",
    "study_days_of_mean", "clicks_of_mean",
    "homework_rate", "missing_homework", "late_homework", "mark", "last_mark",
]  # fmt: skip


@dataclass(frozen=True)
class Files:
    """The tables that are read, as the files have them; clicks are summed by registration and day."""

    registrations: pd.DataFrame
    tasks: pd.DataFrame
    handed_in: pd.DataFrame
    clicks: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, last_day: int) -> Files:
        """Read the Parquet files; clicks up to a day. Raises `LifecourseError` where one is missing."""

        def table(name: str) -> pa.Table:
            try:
                return pq.read_table(folder / f"{name}.parquet")
            except FileNotFoundError:
                raise LifecourseError(
                    f"{name}.parquet is not there", str(folder), "name the folder of the data set with --data"
                ) from None

        courses, info = table("courses").to_pandas(), table("studentInfo").to_pandas()
        registrations = (
            table("studentRegistration")
            .to_pandas()
            .merge(info[[*KEY, "num_of_prev_attempts", "studied_credits", "final_result"]], on=KEY)
            .merge(courses, on=PRESENTATION)
            .sort_values(KEY, ignore_index=True)
        )
        vle = table("studentVle")
        vle = vle.filter(pc.less_equal(vle["date"], last_day))
        clicks = vle.group_by([*KEY, "date"]).aggregate([("sum_click", "sum")]).to_pandas()
        return cls(
            registrations,
            table("assessments").to_pandas(),
            table("studentAssessment").to_pandas(),
            clicks.rename(columns={"sum_click_sum": "clicks"}).sort_values([*KEY, "date"], ignore_index=True),
        )


def last_day_of(week: int) -> int:
    """The last day of a week; week 1 begins on day 0."""
    return 7 * week - 1


def rows(files: Files, week: int) -> pd.DataFrame:
    """A row per registration that is there at the end of a week, sorted by key: FEATURES, `danger`, and what came after.

    withdraws: in the next four weeks (None: it withdrew on an unknown day); fails: True, False, or None for those who
    withdraw. Whoever had withdrawn by then, or registers later, has no row.
    """
    day = last_day_of(week)
    found = files.registrations
    found = found.assign(
        registration_day=found.date_registration.fillna(0).astype(float),
        left_day=found.date_unregistration.astype(float),
    )
    found = found[(found.registration_day <= day) & ~(found.left_day <= day)].reset_index(drop=True)
    found = found.merge(_study(files, found, day), on=KEY, how="left")
    found = found.merge(_homework(files, found, day), on=KEY, how="left")
    for name in ("study_days_28d", "study_days_before", "study_days", "clicks_28d", "clicks", "missing_homework",
                 "late_homework"):  # fmt: skip
        found[name] = found[name].fillna(0.0)
    found["registered_days"] = day - found.registration_day
    found["previous_attempts"] = found.num_of_prev_attempts.astype(float)
    found["credits"] = found.studied_credits.astype(float)
    found["days_since_study"] = day - found.last_study_day
    found["study_trend"] = found.study_days_28d - found.study_days_before
    found["log_clicks_28d"], found["log_clicks"] = np.log1p(found.clicks_28d), np.log1p(found.clicks)
    # Modules differ: beside the mean of those who are there on the same day.
    by_presentation = found.groupby(PRESENTATION)
    for name, of in (("study_days_of_mean", "study_days_28d"), ("clicks_of_mean", "clicks_28d")):
        mean = by_presentation[of].transform("mean")
        found[name] = np.where(mean > 0, found[of] / mean.where(mean > 0, 1.0), np.nan)
    found["danger"] = _danger(files, found, day)
    is_left = found.final_result == "Withdrawn"
    found["withdraws"] = pd.Series(
        np.where(is_left & found.left_day.isna(), None, found.left_day <= day + AHEAD), dtype=object
    )
    found["fails"] = pd.Series(np.where(is_left, None, found.final_result == "Fail"), dtype=object)
    return found


def sample(found: pd.DataFrame, outcome: str) -> tuple[Sample, pd.DataFrame]:
    """The sample of an outcome of `rows`, split by presentation: fitted to 2013, calibrated on 2014B, proven on 2014J."""
    known = found[found[outcome].notna()].reset_index(drop=True)
    return (
        Sample(
            values=known[FEATURES].astype(float),
            case=known[outcome].astype(bool).to_numpy(),
            danger=known.danger.to_numpy(bool),
            customer=known.id_student.to_numpy("int64"),
            split=known.code_presentation.map(PART_OF_PRESENTATION).to_numpy("int64"),
        ),
        known,
    )


def _study(files: Files, found: pd.DataFrame, day: int) -> pd.DataFrame:
    """Study days and clicks up to a day."""
    clicks = files.clicks[files.clicks.date <= day]
    recent, before = clicks.date > day - 28, (clicks.date > day - 56) & (clicks.date <= day - 28)
    return (
        clicks.assign(
            study_days_28d=recent.astype(float),
            study_days_before=before.astype(float),
            study_days=1.0,
            clicks_28d=clicks.clicks.where(recent, 0).astype(float),
            clicks=clicks.clicks.astype(float),
        )
        .groupby(KEY, as_index=False)
        .agg(
            study_days_28d=("study_days_28d", "sum"),
            study_days_before=("study_days_before", "sum"),
            study_days=("study_days", "sum"),
            clicks_28d=("clicks_28d", "sum"),
            clicks=("clicks", "sum"),
            last_study_day=("date", "max"),
        )
    )


def _due(files: Files, found: pd.DataFrame, day: int) -> pd.DataFrame:
    """Homework asked of each registration up to a day, with the day it was handed in by then.

    Assessments of type TMA or CMA with a due day since the registration; one banked from an earlier presentation is none.
    """
    tasks = files.tasks[files.tasks.assessment_type.isin(["TMA", "CMA"]) & (files.tasks.date <= day)]
    due = (
        found[[*KEY, "registration_day", "left_day"]]
        .merge(tasks[[*PRESENTATION, "id_assessment", "date"]], on=PRESENTATION)
        .merge(files.handed_in, on=["id_assessment", "id_student"], how="left")
    )
    due = due[(due.date >= due.registration_day) & ~(due.is_banked == 1)]
    submitted = due.date_submitted.where(due.date_submitted <= day)
    return due.assign(
        submitted=submitted,
        mark=due.score.where(submitted <= day - MARKING_DAYS) / 100,
    )


def _homework(files: Files, found: pd.DataFrame, day: int) -> pd.DataFrame:
    due = _due(files, found, day).sort_values([*KEY, "date", "id_assessment"])
    return (
        due.assign(
            on_time=(due.submitted <= due.date).astype(float),
            missing=due.submitted.isna().astype(float),
            late=(due.submitted > due.date).astype(float),
        )
        .groupby(KEY, as_index=False)
        .agg(
            homework_rate=("on_time", "mean"),
            missing_homework=("missing", "sum"),
            late_homework=("late", "sum"),
            mark=("mark", "mean"),
            last_mark=("mark", "last"),
        )
    )


def _danger(files: Files, found: pd.DataFrame, day: int) -> pd.Series:
    """Whether a risk signal that this university can have is open: inactive, usage_drop, homework_slump.

    The definitions are those of the lifecycle (docs/lifecycle.md), for a student of one registration at a time.
    """
    starts = found.code_presentation.map(_starts_on)
    weekday = starts.map(lambda start: (start + timedelta(days=day)).weekday())
    monday = day - weekday
    keyed = found[KEY].assign(registration_day=found.registration_day, monday=monday)
    clicks = keyed.merge(files.clicks[files.clicks.date <= day], on=KEY)
    clicks = clicks[clicks.date >= clicks.registration_day]
    ago = clicks.monday - clicks.date
    counted = (
        clicks.assign(prior=ago.between(29, 56).astype(int), recent=ago.between(1, 28).astype(int))
        .groupby(KEY, as_index=False)
        .agg(last=("date", "max"), prior=("prior", "sum"), recent=("recent", "sum"))
    )
    of = keyed.merge(counted, on=KEY, how="left")
    since = pd.concat([of["last"], of.registration_day, pd.Series(0.0, index=of.index)], axis=1).max(axis=1)
    inactive = day - since > INACTIVE_DAYS
    usage_drop = (
        (of.monday - 56 >= of.registration_day)
        & (of.prior >= USAGE_BEFORE)
        & (of.recent <= USAGE_SHARE * of.prior)
    )
    due = _due(files, found, day).merge(keyed[[*KEY, "monday"]], on=KEY)
    # Monday of the week of the due day, as a day of the presentation.
    due["week"] = due.monday - 7 * np.ceil((due.monday - due.date) / 7)
    due = due[due.week < due.monday]
    weeks = (
        due.assign(done=(due.submitted <= due.week + 6).astype(float))
        .groupby([*KEY, "week"], as_index=False)
        .done.mean()
        .sort_values([*KEY, "week"])
    )
    last_two = weeks.groupby(KEY).tail(2)
    poor = (
        last_two.assign(poor=(last_two.done < HOMEWORK_SHARE).astype(int))
        .groupby(KEY, as_index=False)
        .poor.sum()
    )
    slump = of[KEY].merge(poor, on=KEY, how="left").poor.fillna(0) >= 2
    return inactive | usage_drop | slump


def _starts_on(presentation: str) -> date:
    """B presentations start on 1 February, J ones on 1 October."""
    return date(int(presentation[:4]), 2 if presentation.endswith("B") else 10, 1)
