"""BG/NBD: how often a customer without a contract buys again, and whether the customer is still there.

Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model. Buying is
Poisson with a gamma-distributed rate (r, alpha); after each purchase a customer leaves with a beta-distributed
probability (a, b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1

from lifecourse.customer_base.likelihood import maximise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class BgNbd:
    """Fitted parameters; `alpha` is in the unit of time of the data it was fitted to."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float

    def expected_purchases(self, frequency: Array, recency: Array, age: Array, horizon: float) -> Array:
        """Purchases expected in the `horizon` after the end of observation (equation 10).

        frequency: repeat purchases; recency: time from the first purchase to the last (0: no repeat); age: time
        from the first purchase to the end of observation.
        """
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x = np.asarray(frequency, dtype=float)
        lasting = ((alpha + age) / (alpha + age + horizon)) ** (r + x)
        series = hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + age + horizon))
        bought = (a + b + x - 1) / (a - 1) * (1 - lasting * series)
        return np.asarray(bought * self.alive(x, recency, age))

    def alive(self, frequency: Array, recency: Array, age: Array) -> Array:
        """Probability that the customer is still there; 1 without a repeat purchase, since one leaves after one."""
        x = np.asarray(frequency, dtype=float)
        odds = (
            self.a
            / (self.b + np.maximum(x, 1) - 1)
            * ((self.alpha + age) / (self.alpha + recency)) ** (self.r + x)
        )
        return np.asarray(1 / (1 + np.where(x > 0, odds, 0)))


def log_likelihood(parameters: Array, frequency: Array, recency: Array, age: Array) -> float:
    """Sum over customers (equation 6); parameters r, alpha, a, b."""
    r, alpha, a, b = parameters
    x = frequency
    bought = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    stays = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
    # Left right after the last purchase; without a repeat purchase nobody has left.
    left = betaln(a + 1, b + np.maximum(x, 1) - 1) - betaln(a, b) - (r + x) * np.log(alpha + recency)
    return float(np.sum(bought + np.where(x > 0, np.logaddexp(stays, left), stays)))


def fit(frequency: Array, recency: Array, age: Array) -> BgNbd:
    """Maximum likelihood. Raises `LifecourseError` where the search does not converge."""
    x, t_x, t = (np.asarray(each, dtype=float) for each in (frequency, recency, age))
    found, value = maximise(
        lambda parameters: log_likelihood(parameters, x, t_x, t),
        start=np.array([1.0, max(float(np.mean(t)), 1.0) / max(float(np.mean(x)), 0.1), 1.0, 1.0]),
        model="BG/NBD",
    )
    r, alpha, a, b = found
    return BgNbd(r, alpha, a, b, log_likelihood=value)
