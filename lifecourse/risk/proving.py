"""Fit on early days, calibrate on later ones, prove on the last: does a model beat the plain rule?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lifecourse.risk import measures
from lifecourse.risk.learning import calibrated, fit_boosting, fit_logistic
from lifecourse.risk.scoring import Scorer

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Parts of the days that are for the proof and for calibration; the rest is fitted to.
PROOF, CALIBRATION = 0.25, 0.2
DRIFT_BINS = 10


@dataclass(frozen=True)
class Sample:
    """Rows of customers and days, sorted, with what became of them.

    values: a float column per feature, missing as NaN; case: what is to be predicted; danger: the plain rule;
    customer: a number per customer; split: 0 fitted to, 1 calibrated on, 2 proven on, -1 left out.
    """

    values: pd.DataFrame
    case: Flags
    danger: Flags
    customer: NDArray[np.int64]
    split: NDArray[np.int64]

    def part(self, number: int) -> tuple[pd.DataFrame, Flags]:
        rows = self.split == number
        return self.values[rows], self.case[rows]


@dataclass(frozen=True)
class DriftBand:
    """A stretch of a feature's values and the share of rows in it on the days of the proof."""

    feature: str
    band_no: int
    is_missing: bool
    above: float | None
    up_to: float | None
    share: float
    weight_share: float


@dataclass(frozen=True)
class Proof:
    """What came of a target: the better candidate, measured on rows that neither had seen, and the verdict."""

    verdict: str
    scorer: Scorer | None
    drift: tuple[DriftBand, ...]
    base_rate: float | None
    rule_rate_on: float | None
    rule_rate_off: float | None
    measures: Mapping[str, Any]

    @property
    def beats_rule(self) -> bool:
        return self.verdict == "beats_rule"


def split_by_time(day: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """The part of each row by its day (a number): early days 0, later 1, last 2.

    What is known of a day's rows only after the next part begins is left out (-1): else the fit would look into it.
    """
    days = np.unique(day)
    proof = days[-max(1, round(PROOF * len(days))) :]
    before = days[days + horizon <= proof[0]]
    calibration = before[-max(1, round(CALIBRATION * len(days))) :]
    part = np.full(len(day), -1, dtype=np.int64)
    part[np.isin(day, proof)] = 2
    if len(calibration):
        part[np.isin(day, calibration)] = 1
        part[day + horizon <= calibration[0]] = 0
    return part


def prove(sample: Sample, least_cases: int, least_auc_gain: float) -> Proof:
    """Fit both candidates, take the one that ranks the calibration rows better, and measure it against the rule.

    It beats the rule if its AUC is higher by `least_auc_gain` at least and by chance in one of twenty at most, and
    neither precision at the top tenth nor the Brier score is worse. With fewer than `least_cases` cases, or others, in a
    part, nothing is fitted.
    """
    parts = [sample.part(number) for number in (0, 1, 2)]
    counts = {
        f"{name}_{what}": int(number)
        for name, (_, case) in zip(("fitted", "calibrated", "proven"), parts, strict=True)
        for what, number in (("rows", len(case)), ("cases", case.sum()))
    }
    known = sample.split >= 0
    rates = _rule_rates(sample.danger[known & (sample.split < 2)], sample.case[known & (sample.split < 2)])
    if any(min(case.sum(), len(case) - case.sum()) < least_cases for _, case in parts):
        return Proof("too_few_cases", None, (), None, *rates, counts)
    (early, early_case), (later, later_case), (last, case) = parts
    candidates = [
        calibrated(fit(early, early_case), later, later_case) for fit in (fit_logistic, fit_boosting)
    ]
    best = max(candidates, key=lambda each: measures.auc(each.score(later), later_case))
    on, off = rates
    danger = sample.danger[sample.split == 2]
    rule = np.where(danger, on if on is not None else 0.0, off if off is not None else 0.0)
    of_rule = measures.quality(rule, case)
    of_candidates = {each.kind: measures.quality(each.probability(last), case) for each in candidates}
    of_best = of_candidates[best.kind]
    low, high = measures.gain_interval(best.probability(last), rule, case, sample.customer[sample.split == 2])
    is_better = (
        of_best.auc - of_rule.auc >= least_auc_gain
        and low > 0
        and of_best.precision_top_tenth >= of_rule.precision_top_tenth
        and of_best.brier <= of_rule.brier
    )
    return Proof(
        "beats_rule" if is_better else "does_not_beat_rule",
        best,
        _drift_bands(best, last),
        float(case.mean()),
        on,
        off,
        {
            **counts,
            **asdict(of_best),
            **{f"rule_{name}": value for name, value in asdict(of_rule).items()},
            "auc_gain_low": low,
            "auc_gain_high": high,
            "candidates": {kind: asdict(each) for kind, each in of_candidates.items()},
            "reliability": [asdict(each) for each in measures.reliability(best.probability(last), case)],
        },
    )


def _rule_rates(danger: Flags, case: Flags) -> tuple[float | None, float | None]:
    """Share of cases among those in danger, and among the others: the probabilities that the rule gives."""
    return (
        float(case[danger].mean()) if danger.any() else None,
        float(case[~danger].mean()) if (~danger).any() else None,
    )


def _drift_bands(scorer: Scorer, values: pd.DataFrame) -> tuple[DriftBand, ...]:
    """Tenths of each feature on the days of the proof, for the stability index of later days."""
    weights = scorer.contributions(values).abs().mean()
    total = float(weights.sum()) or 1.0
    found: list[DriftBand] = []
    for feature in scorer.features:
        value = values[feature].to_numpy(float)
        known = value[~np.isnan(value)]
        weight = float(weights[feature]) / total
        found.append(DriftBand(feature, 0, True, None, None, 1 - len(known) / len(value), weight))
        tenths = np.arange(1, DRIFT_BINS) / DRIFT_BINS
        edges: list[float] = np.unique(np.quantile(known, tenths)).tolist() if len(known) else []
        # Nothing lies above the greatest value: an edge there would make an empty stretch.
        ends = [None, *(edge for edge in edges if edge < known.max()), None]
        for number, (above, up_to) in enumerate(itertools.pairwise(ends), start=1):
            inside = np.ones(len(known), dtype=bool)
            if above is not None:
                inside &= known > above
            if up_to is not None:
                inside &= known <= up_to
            found.append(DriftBand(feature, number, False, above, up_to, inside.sum() / len(value), weight))
    return tuple(found)
