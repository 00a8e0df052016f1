"""Gamma-Gamma: what a customer spends per purchase on average.

Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value. Amounts of one customer vary with a gamma (p, nu), nu
over customers with a gamma (q, v). Amount and frequency are taken to be independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from lifecourse.customer_base.likelihood import maximise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GammaGamma:
    """Fitted parameters; `v` is in the currency of the amounts."""

    p: float
    q: float
    v: float
    log_likelihood: float

    def expected_amount(self, purchases: Array, mean_amount: Array) -> Array:
        """Expected mean amount per purchase (equation 5): the customer's own, drawn towards that of all."""
        x = np.asarray(purchases, dtype=float)
        return np.asarray(self.p * (self.v + x * np.asarray(mean_amount)) / (self.p * x + self.q - 1))


def fit(purchases: Array, mean_amount: Array) -> GammaGamma:
    """Maximum likelihood over customers with a purchase and a positive mean amount.

    Raises `LifecourseError` where the search does not converge.
    """
    x, m = np.asarray(purchases, dtype=float), np.asarray(mean_amount, dtype=float)
    # In units of the mean, so that the search does not depend on the currency.
    unit = float(np.mean(m))
    m = m / unit

    def log_likelihood(parameters: Array) -> float:
        p, q, v = parameters
        each = (
            gammaln(p * x + q)
            - gammaln(p * x)
            - gammaln(q)
            + q * np.log(v)
            + (p * x - 1) * np.log(m)
            + p * x * np.log(x)
            - (p * x + q) * np.log(x * m + v)
        )
        return float(np.sum(each))

    (p, q, v), value = maximise(log_likelihood, np.array([2.0, 3.0, 1.0]), "Gamma-Gamma")
    return GammaGamma(p, q, v * unit, value - len(x) * float(np.log(unit)))
