"""sBG (shifted beta-geometric): who renews a term, given how many terms the customer has been there.

Fader and Hardie (2007), How to Project Customer Retention. Each customer fails to renew with a probability of its own,
beta-distributed (alpha, beta), so that those who stay longer are those who are likelier to stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lifecourse.customer_base.likelihood import maximise

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sbg:
    """Fitted parameters."""

    alpha: float
    beta: float
    log_likelihood: float

    def renewal_rate(self, term: Array) -> Array:
        """Share of those in their nth term (from 1) who renew."""
        n = np.asarray(term, dtype=float)
        return np.asarray((self.beta + n - 1) / (self.alpha + self.beta + n - 1))

    def survival(self, renewals: int) -> float:
        """Share that is still there after so many renewals."""
        return float(self.renewal_rate(np.arange(1.0, renewals + 1)).prod())


def fit(term: Array, due: Array, renewed: Array) -> Sbg:
    """Maximum likelihood from counts: by term (from 1), customers due to renew and those who did.

    Those who are not due yet (censored) count in the terms in which they were. Raises `LifecourseError` where the
    search does not converge.
    """
    n, at_risk, kept = (np.asarray(each, dtype=float) for each in (term, due, renewed))

    def log_likelihood(parameters: Array) -> float:
        alpha, beta = parameters
        rate = (beta + n - 1) / (alpha + beta + n - 1)
        return float(np.sum(kept * np.log(rate) + (at_risk - kept) * np.log1p(-rate)))

    (alpha, beta), value = maximise(log_likelihood, np.array([1.0, 1.0]), "sBG")
    return Sbg(alpha, beta, value)
