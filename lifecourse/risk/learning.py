"""Logistic regression and gradient boosting (scikit-learn), each brought into the one form of `Scorer`.

Boosting has trees of one split only, so that it is a sum of one step function per feature: its reasons are exact, and
SQL scores it with a join. Everything is deterministic for rows in one order.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from lifecourse.risk.scoring import Band, Scorer

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Values beyond these quantiles count as the quantile: one odd customer must not bend a straight line.
CLIPPED = (0.01, 0.99)
TREES = 200
LEARNING_RATE = 0.05
#: A leaf of a tree holds this share of the rows at least.
LEAST_LEAF = 0.01


def fit_logistic(values: pd.DataFrame, case: Flags) -> Scorer:
    """Logistic regression on standardised features, clipped at both ends; a missing value counts as the median.

    values: a float column per feature, missing as NaN; case: what is to be predicted, both kinds must be there.
    """
    filled, medians = _filled(values)
    low, high = filled.quantile(CLIPPED[0]), filled.quantile(CLIPPED[1])
    clipped = filled.clip(low, high, axis=1)
    centre, scale = clipped.mean(), clipped.std(ddof=0)
    kept = [name for name in values if scale[name] > 1e-12]
    standard = (clipped[kept] - centre[kept]) / scale[kept]
    model = LogisticRegression(C=0.1, max_iter=1000).fit(standard.to_numpy(), case)
    bands: list[Band] = []
    for name, weight in zip(kept, model.coef_[0], strict=True):
        slope = float(weight / scale[name])
        base = float(-slope * centre[name])
        ends = float(low[name]), float(high[name])
        bands += [
            Band(name, 0, True, None, None, base + slope * float(np.clip(medians[name], *ends))),
            Band(name, 1, False, None, ends[0], base + slope * ends[0]),
            Band(name, 2, False, ends[0], ends[1], base, slope),
            Band(name, 3, False, ends[1], None, base + slope * ends[1]),
        ]
    return centred(Scorer("logistic", float(model.intercept_[0]), tuple(bands)), values)


def fit_boosting(values: pd.DataFrame, case: Flags) -> Scorer:
    """Gradient boosting of stumps; a missing value counts as the median. Arguments as `fit_logistic`."""
    filled, medians = _filled(values)
    names = list(values)
    model = GradientBoostingClassifier(
        n_estimators=TREES,
        learning_rate=LEARNING_RATE,
        max_depth=1,
        min_samples_leaf=max(1, round(LEAST_LEAF * len(values))),
        random_state=0,
    ).fit(filled.to_numpy(), case)
    #: feature -> threshold -> what the score rises by above it.
    steps: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    lowest: dict[str, float] = defaultdict(float)
    rate = float(np.mean(case))
    intercept = float(np.log(rate / (1 - rate)))
    for [tree] in model.estimators_:
        nodes = tree.tree_
        if nodes.node_count == 1:
            intercept += LEARNING_RATE * float(nodes.value[0, 0, 0])
            continue
        name = names[int(nodes.feature[0])]
        left, right = (
            LEARNING_RATE * float(nodes.value[child, 0, 0])
            for child in (nodes.children_left[0], nodes.children_right[0])
        )
        lowest[name] += left
        steps[name][float(nodes.threshold[0])] += right - left
    bands: list[Band] = []
    for name in names:
        if name not in steps:
            continue
        thresholds = sorted(steps[name])
        heights = lowest[name] + np.concatenate(
            [[0.0], np.cumsum([steps[name][each] for each in thresholds])]
        )
        of_median = int(np.searchsorted(thresholds, medians[name], side="left"))
        bands.append(Band(name, 0, True, None, None, float(heights[of_median])))
        ends = [None, *thresholds, None]
        bands += [
            Band(name, number, False, ends[number - 1], ends[number], float(height))
            for number, height in enumerate(heights, start=1)
        ]
    return centred(Scorer("boosting", intercept, tuple(bands)), values)


def calibrated(scorer: Scorer, values: pd.DataFrame, case: Flags) -> Scorer:
    """The scorer with its scores stretched and shifted (Platt) to the rates of rows that it was not fitted to."""
    score = scorer.score(values)
    if np.ptp(score) == 0:
        return scorer
    spread = float(np.std(score))
    model = LogisticRegression(C=1e6, max_iter=1000).fit((score / spread).reshape(-1, 1), case)
    return Scorer(
        scorer.kind,
        scorer.intercept,
        scorer.bands,
        float(model.coef_[0, 0]) / spread,
        float(model.intercept_[0]),
    )


def centred(scorer: Scorer, values: pd.DataFrame) -> Scorer:
    """The same scores, with every feature contributing nothing on average over `values`: reasons are against the average."""
    if not scorer.bands:
        return scorer
    means = scorer.contributions(values).mean()
    return Scorer(
        scorer.kind,
        scorer.intercept + float(means.sum()),
        tuple(
            Band(
                band.feature, band.band_no, band.is_missing, band.above, band.up_to,
                band.base - float(means[band.feature]), band.slope,
            )
            for band in scorer.bands
        ),
        scorer.calibration_slope,
        scorer.calibration_offset,
    )  # fmt: skip


def _filled(values: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    medians = values.median().fillna(0.0)
    return values.fillna(medians).astype(float), medians
