"""How good probabilities are, and how far inputs have moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: A share below this counts as this in the stability index, here and in mart_risk_model.
LEAST_SHARE = 0.001


@dataclass(frozen=True)
class Quality:
    """Of probabilities, on rows that the model had not seen."""

    auc: float
    precision_top_tenth: float
    brier: float


@dataclass(frozen=True)
class Bin:
    """A point of the reliability curve."""

    rows: int
    predicted: float
    observed: float


def quality(probability: Array, case: Flags) -> Quality:
    """AUC, precision at the top tenth and Brier score; both kinds of rows must be there."""
    return Quality(
        auc(probability, case),
        precision_at_top(probability, case, 0.1),
        float(np.mean((probability - case) ** 2)),
    )


def auc(probability: Array, case: Flags) -> float:
    """Chance that a case has a higher probability than another row; equal ones count half."""
    cases = int(case.sum())
    ranks = rankdata(probability)
    return float((ranks[case].sum() - cases * (cases + 1) / 2) / (cases * (len(case) - cases)))


def precision_at_top(probability: Array, case: Flags, share: float) -> float:
    """Share of cases among that share of rows with the highest probability.

    Of rows that are equal where the cut falls, each counts in part: a rule with two values only has many.
    """
    wanted = math.ceil(share * len(case))
    cut = np.sort(probability)[::-1][wanted - 1]
    above, at = probability > cut, probability == cut
    part = (wanted - above.sum()) / at.sum()
    return float((case[above].sum() + part * case[at].sum()) / wanted)


def reliability(probability: Array, case: Flags, bins: int = 10) -> list[Bin]:
    """Mean probability and share of cases in bins of equally many rows, in order; equal probabilities stay together."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    of = np.searchsorted(edges, probability, side="right")
    return [
        Bin(int((of == each).sum()), float(probability[of == each].mean()), float(case[of == each].mean()))
        for each in np.unique(of)
    ]


def gain_interval(
    model: Array, rule: Array, case: Flags, customer: NDArray[np.int64], draws: int = 200
) -> tuple[float, float]:
    """5th and 95th percentile of the AUC of the model less that of the rule.

    Customers are drawn, not rows: rows of one customer on several days are not independent. The same on every run.
    """
    rng = np.random.default_rng(0)
    customers, of = np.unique(customer, return_inverse=True)
    values = [np.unique(each, return_inverse=True)[1] for each in (model, rule)]
    gains = []
    for _ in range(draws):
        times = np.bincount(rng.integers(0, len(customers), len(customers)), minlength=len(customers))[of]
        if 0 < times[case].sum() < times.sum():
            of_model, of_rule = (_auc_of_weighted(each, case, times) for each in values)
            gains.append(of_model - of_rule)
    low, high = np.quantile(gains, [0.05, 0.95])
    return float(low), float(high)


def _auc_of_weighted(value: NDArray[np.int64], case: Flags, times: NDArray[np.int64]) -> float:
    """`auc` of rows that count several times, or not at all; values are places from 0."""
    cases = np.bincount(value, weights=times * case)
    others = np.bincount(value, weights=times * ~case)
    below = np.cumsum(others) - others
    return float((cases * (below + others / 2)).sum() / (cases.sum() * others.sum()))


def stability_index(before: Array, now: Array) -> float:
    """Population stability index of two lists of shares of the same bins."""
    p, q = np.maximum(now, LEAST_SHARE), np.maximum(before, LEAST_SHARE)
    return float(np.sum((p - q) * np.log(p / q)))
