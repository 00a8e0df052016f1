"""A fitted model as a sum over features: what is kept in `meta.risk_model_band`, and scored in SQL the same way.

The score of a row is `intercept` plus one contribution per feature, and the probability is the calibrated score. So the
features that weigh most are exact, with no approximation in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Band:
    """A stretch of a feature's values, above `above` and up to `up_to` (None: no end), or the missing ones.

    Its contribution is ``base + slope * value``, of a missing value ``base``.
    """

    feature: str
    band_no: int
    is_missing: bool
    above: float | None
    up_to: float | None
    base: float
    slope: float = 0.0


@dataclass(frozen=True)
class Scorer:
    """A fitted and calibrated model."""

    kind: str
    intercept: float
    bands: tuple[Band, ...]
    calibration_slope: float = 1.0
    calibration_offset: float = 0.0

    @property
    def features(self) -> list[str]:
        return [feature for feature, _ in groupby(self.bands, key=lambda band: band.feature)]

    def contributions(self, values: pd.DataFrame) -> pd.DataFrame:
        """What each feature adds to the score of each row; a column per feature."""
        return pd.DataFrame(
            {
                feature: _contribution(values[feature].to_numpy(float), list(bands))
                for feature, bands in groupby(self.bands, key=lambda band: band.feature)
            },
            index=values.index,
        )

    def score(self, values: pd.DataFrame) -> Array:
        """Log-odds before calibration."""
        return np.asarray(self.intercept + self.contributions(values).to_numpy().sum(axis=1))

    def probability(self, values: pd.DataFrame) -> Array:
        """Calibrated probability of each row."""
        return logistic(self.calibration_slope * self.score(values) + self.calibration_offset)


def logistic(logit: Array) -> Array:
    """Log-odds to probability; beyond 500 the exponent would have no number."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -500, 500))))


def _contribution(value: Array, bands: Sequence[Band]) -> Array:
    found = np.full(len(value), np.nan)
    for band in bands:
        if band.is_missing:
            found[np.isnan(value)] = band.base
            continue
        inside = ~np.isnan(value)
        if band.above is not None:
            inside &= value > band.above
        if band.up_to is not None:
            inside &= value <= band.up_to
        found[inside] = band.base + band.slope * value[inside]
    return found
